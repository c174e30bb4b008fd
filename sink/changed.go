package sink

import "fmt"

// ChangedError says that a file has the record of another request with the same id. Both would be mixed up in it.
type ChangedError struct {
	Path, ID     string
	Earlier, Now string // the fingerprints of the record's request and of this one
}

func (e *ChangedError) Error() string {
	return fmt.Sprintf("%s: request %q has changed since its record was written, in its model, prompts, tools or params: "+
		"its fingerprint was %s and is %s; give it another id, choose another output, or overwrite this one",
		e.Path, e.ID, e.Earlier, e.Now)
}
