package sink

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// ResponseTotals are what a response tells of a run beyond its records.
type ResponseTotals struct {
	WallTime      time.Duration // how long the run took
	TotalRequests int           // taken from the source; 0: the number of records
}

// ResponseFile is a sink that writes one [batch.Response] as JSON when it is closed, also when the run broke: it then
// holds the results there are. Until then they stand in a temporary file beside it, so that memory doesn't grow with them.
type ResponseFile struct {
	// Totals may be set until Close. The WallTime left out is the time from [Response] to Close.
	Totals ResponseTotals

	path    string
	spool   *os.File
	lines   batch.Sink
	started time.Time
	closed  bool
}

// Response returns a sink that writes a response to path. A file at path is replaced, as a whole, at Close; a pipe or device
// is written to as it is.
func Response(path string) (*ResponseFile, error) {
	spoolPath := path
	if info, err := os.Stat(path); err == nil {
		switch {
		case info.IsDir():
			return nil, fmt.Errorf("%s is a directory: want a file for the response", path)
		case !info.Mode().IsRegular():
			spoolPath = filepath.Join(os.TempDir(), "gluepipe-response")
		}
	}
	spool, err := createBeside(spoolPath)
	if err != nil {
		return nil, err
	}
	return &ResponseFile{path: path, spool: spool, lines: JSONL(spool), started: time.Now()}, nil
}

// Write keeps the results for the response.
func (f *ResponseFile) Write(ctx context.Context, results []*batch.Result) error {
	if err := f.lines.Write(ctx, results); err != nil {
		return fmt.Errorf("response %s: %w", f.path, err)
	}
	return nil
}

// Close writes the response. Where that fails, the error says where the results are kept.
func (f *ResponseFile) Close(context.Context) error {
	if f.closed {
		return nil
	}
	f.closed = true
	if f.Totals.WallTime == 0 {
		f.Totals.WallTime = time.Since(f.started)
	}
	err := f.spool.Close()
	if err == nil {
		err = WriteResponse(f.path, f.spool.Name(), f.Totals)
	}
	if err == nil {
		return os.Remove(f.spool.Name())
	}
	if info, statErr := os.Stat(f.spool.Name()); statErr == nil && info.Size() == 0 {
		return errors.Join(err, os.Remove(f.spool.Name()))
	}
	return fmt.Errorf("%w; the results are kept in %s", err, f.spool.Name())
}
