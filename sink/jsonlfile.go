package sink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// JSONLFile is a file of results, a line of JSON each, that a later run continues. What Write has written survives the
// death of the process; it survives a loss of power once the system has flushed it.
type JSONLFile struct {
	path    string
	file    *os.File
	out     io.Writer // the file; a test's disk can be full
	regular bool
	size    int64 // the end of the last whole record of a regular file
	encoder encoder
	close   func() error

	records  *Records // of earlier runs
	recovery Recovery
}

// Path returns the path as it was given to [OpenJSONL].
func (f *JSONLFile) Path() string { return f.path }

// Earlier returns the counts of the records that were in the file when it was opened, but for those removed then.
// TotalRequests is the number of these records.
func (f *JSONLFile) Earlier() batch.Summary { return f.records.Earlier() }

// Recovered tells what was found and repaired when the file was opened.
func (f *JSONLFile) Recovered() Recovery { return f.recovery }

// Done tells whether the file had a record of this id when it was opened. It is a [*ChangedError] if that record belongs to
// another request: if both have a fingerprint, and these differ. Done is safe for concurrent use.
func (f *JSONLFile) Done(id, fingerprint string) (bool, error) {
	return f.records.Done(id, fingerprint)
}

// Write appends the results, with one write(2) for all of them. Where that fails, whole records that were written stay, and
// the rest is taken back, so that the file can be continued. A result that can't be encoded is an error; the rest of its
// batch is written.
func (f *JSONLFile) Write(_ context.Context, results []*batch.Result) error {
	data, encodeErr := f.encoder.lines(results)
	if encodeErr != nil {
		encodeErr = fmt.Errorf("writing %s: %w", f.path, encodeErr)
	}
	if len(data) == 0 {
		return encodeErr
	}
	n, err := f.out.Write(data)
	if err != nil {
		f.takeBack(data[:n])
		return errors.Join(encodeErr, fmt.Errorf("writing results: %w", err))
	}
	f.size += int64(n)
	return encodeErr
}

// takeBack cuts a record that was written in part. Where that fails too, the next opening does it.
func (f *JSONLFile) takeBack(written []byte) {
	if !f.regular {
		return
	}
	whole := int64(bytes.LastIndexByte(written, '\n') + 1)
	end := f.size + int64(len(written))
	f.size += whole
	if info, err := f.file.Stat(); err == nil && info.Size() == end { // nobody else has written since
		_ = f.file.Truncate(f.size)
	}
}

// Close closes the file.
func (f *JSONLFile) Close(context.Context) error { return f.close() }

func newJSONLFile(path string, file *os.File, regular bool) *JSONLFile {
	return &JSONLFile{
		path: path, file: file, out: file, regular: regular, records: newRecords(path), close: sync.OnceValue(file.Close),
	}
}
