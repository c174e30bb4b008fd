package sink

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// maxKeptBuffer is what an encoder keeps between two batches, so that one huge answer doesn't stay in memory for the run.
const maxKeptBuffer = 1 << 20

// encoder makes lines of results, in a buffer that it uses again.
type encoder struct{ buf []byte }

// lines returns a line for each result, valid until the next call, and the results that have one. A result that can't be
// encoded gets none, and is named by the error: the others are paid for and must not be lost with it.
func (e *encoder) lines(results []*batch.Result) (lines []byte, encoded []*batch.Result, err error) {
	if cap(e.buf) > maxKeptBuffer {
		e.buf = nil
	}
	var errs []error
	dst := e.buf[:0]
	encoded = results
	for i, r := range results {
		start := len(dst)
		var err error
		if dst, err = r.AppendJSON(dst); err != nil {
			errs = append(errs, fmt.Errorf("encoding the result of request %d: %w", r.Index+1, err))
			dst = dst[:start]
			if len(errs) == 1 {
				encoded = slices.Clone(results[:i])
			}
			continue
		}
		dst = append(dst, '\n')
		if len(errs) > 0 {
			encoded = append(encoded, r)
		}
	}
	e.buf = dst
	return dst, encoded, errors.Join(errs...)
}
