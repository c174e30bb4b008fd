package sink

import (
	"slices"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// PartialError is the error of a Write that failed when some of its results were written already. It is for counting: the
// engine acknowledges none of the batch. Only an error that is a PartialError itself tells of all that the sink writes to;
// one found by unwrapping tells of a part.
type PartialError struct {
	Written []*batch.Result // those whose records are whole, where a later run finds them
	Err     error
}

func (e *PartialError) Error() string { return e.Err.Error() }
func (e *PartialError) Unwrap() error { return e.Err }

// partial returns the error of a Write that failed with err when it had written these results.
func partial(written []*batch.Result, err error) error {
	if err == nil || len(written) == 0 {
		return err
	}
	return &PartialError{Written: slices.Clone(written), Err: err}
}

// writtenOf returns those of the results that were written by a Write which returned err.
func writtenOf(results []*batch.Result, err error) []*batch.Result {
	if err == nil {
		return results
	}
	if p, ok := err.(*PartialError); ok { //nolint:errorlint // see PartialError
		return p.Written
	}
	return nil
}
