package sink

import "fmt"

// ChangedError says that a file has the record of another request with the same id. Both would be mixed up in it.
type ChangedError struct {
	Path, ID string
	// Earlier and Now are the fingerprints of the record's request and of this one. Earlier is "another" where it was not
	// looked up: only the first such error of a file costs another reading of it.
	Earlier, Now string
	Failed       bool // the record is known to be a failure: to take the failed ones out of the file helps too
}

func (e *ChangedError) Error() string {
	return fmt.Sprintf("%s: request %q has changed since its record was written, in its model, prompts, tools or params: "+
		"its fingerprint was %s and is %s; give it another id, choose another output, or overwrite this one",
		e.Path, e.ID, e.Earlier, e.Now)
}
