package sink

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// maxKeptBuffer is what an encoder keeps between two batches, so that one huge answer doesn't stay in memory for the run.
const maxKeptBuffer = 1 << 20

// encoder makes records of results, in a buffer that it uses again.
type encoder struct {
	format format
	buf    []byte
	ends   []int
}

// encoded are the records of a batch.
type encoded struct {
	data    []byte          // one record behind the other
	ends    []int           // where in data each of them ends
	results []*batch.Result // those that they are of
}

// encode makes a record of each result, valid until the next call. A result that can't be encoded gets none, and is named by
// the error: the others are paid for and must not be lost with it.
func (e *encoder) encode(results []*batch.Result) (encoded, error) {
	if cap(e.buf) > maxKeptBuffer {
		e.buf = nil
	}
	var errs []error
	records := encoded{data: e.buf[:0], ends: e.ends[:0], results: results}
	for i, r := range results {
		data, err := e.format.appendRecord(records.data, r)
		if err != nil {
			errs = append(errs, fmt.Errorf("encoding the result of request %d: %w", r.Index+1, err))
			if len(errs) == 1 {
				records.results = slices.Clone(results[:i])
			}
			continue
		}
		records.data, records.ends = data, append(records.ends, len(data))
		if len(errs) > 0 {
			records.results = append(records.results, r)
		}
	}
	e.buf, e.ends = records.data, records.ends
	return records, errors.Join(errs...)
}
