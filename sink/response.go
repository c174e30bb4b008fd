package sink

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// ResponseOptions say where a response comes from. The zero value takes it from the results that are written to it.
type ResponseOptions struct {
	// From are the files that have the results, of earlier runs too, opened by [OpenJSONL]: other formats don't have all of a
	// result. The response is assembled from them; they are closed, or at least written, before it is. The text of compressed
	// ones stands in a temporary file meanwhile.
	From []*File
	// Mode is the mode of a file that is created, before the umask; default 0666. A file that is replaced keeps its mode.
	Mode os.FileMode
}

// ResponseTotals are what a response tells of a run beyond its records.
type ResponseTotals struct {
	WallTime      time.Duration // how long the run took
	TotalRequests int           // taken from the source; 0: the number of records
	// FailedRequests are all that failed, those without a record included: unfinished ones, and what batch.Skip left out.
	// Where it is less than the failed records, these count.
	FailedRequests     int
	UnfinishedRequests int
}

// ResponseFile is a sink that writes one [batch.Response] as JSON when it is closed, also when the run broke: it then
// holds the results there are. Until then they stand in a temporary file beside it, so that memory doesn't grow with them.
type ResponseFile struct {
	// Totals may be set until Close. The WallTime left out is the time from [Response] to Close.
	Totals ResponseTotals

	path    string
	options ResponseOptions
	reserve *os.File // becomes the response; nil for a pipe or device
	spool   *os.File // has the results, unless other files do; nil before the first
	lines   batch.Sink
	started time.Time
	closed  bool
}

// Response returns a sink that writes a response to path. A file at path is replaced, as a whole, at Close; a pipe or device
// is written to as it is. It is compressed where its name ends in .gz or .zst. Until Close or Discard no other run can write
// a response to the same file; see [File] about systems without locks.
func Response(path string, options ResponseOptions) (*ResponseFile, error) {
	for _, from := range options.From {
		if _, ok := from.format.(jsonLines); !ok {
			return nil, fmt.Errorf("response %s: %s doesn't have all of each result: want a file of JSON Lines", path, from.path)
		}
	}
	f := &ResponseFile{path: path, options: options, started: time.Now()}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return nil, fmt.Errorf("%s is a directory: want a file", path)
	case err == nil && !info.Mode().IsRegular():
		return f, nil
	}
	f.reserve, err = reserve(path, f.mode())
	return f, err
}

// Write keeps the results for the response, unless it comes from other files.
func (f *ResponseFile) Write(ctx context.Context, results []*batch.Result) error {
	if f.options.From != nil {
		return nil
	}
	if err := f.openSpool(); err != nil {
		return fmt.Errorf("response %s: %w", f.path, err)
	}
	if err := f.lines.Write(ctx, results); err != nil {
		return fmt.Errorf("response %s: %w", f.path, err)
	}
	return nil
}

// openSpool opens the file of results at the first of them. Beside the response it has always the same name, so that it takes
// the place of one that a killed run has left.
func (f *ResponseFile) openSpool() (err error) {
	if f.spool != nil {
		return nil
	}
	if f.reserve == nil {
		f.spool, err = os.CreateTemp("", "gluepipe-results-*.tmp")
	} else {
		f.spool, err = createAnew(resolve(f.path)+".results.tmp", f.mode())
	}
	f.lines = JSONL(f.spool)
	return err
}

func (f *ResponseFile) mode() os.FileMode { return cmp.Or(f.options.Mode, 0o666) }

// Close writes the response. Where that fails, the error says where the results are kept.
func (f *ResponseFile) Close(context.Context) error {
	if f.closed {
		return nil
	}
	defer f.Discard()
	if f.Totals.WallTime == 0 {
		f.Totals.WallTime = time.Since(f.started)
	}
	records, err := f.records()
	if err == nil {
		err = writeResponse(f.path, f.reserved, records, f.Totals)
	}
	if f.spool == nil {
		return err
	}
	if err == nil {
		return os.Remove(f.spool.Name())
	}
	return f.keepSpool(err)
}

// keepSpool gives the results a name that the next run leaves alone.
func (f *ResponseFile) keepSpool(err error) error {
	name := f.spool.Name()
	if info, statErr := os.Stat(name); statErr == nil && info.Size() == 0 {
		return errors.Join(err, os.Remove(name))
	}
	if f.reserve != nil { // else the name is unique already
		if kept, keepErr := beside(resolve(f.path))(); keepErr == nil {
			_ = kept.Close()
			if os.Rename(name, kept.Name()) == nil {
				name = kept.Name()
			}
		}
	}
	return fmt.Errorf("%w; the results are kept in %s", err, name)
}

// records returns the files that the response is made of.
func (f *ResponseFile) records() (paths []string, err error) {
	if f.spool != nil {
		paths, err = []string{f.spool.Name()}, f.spool.Close()
	}
	for _, file := range f.options.From {
		paths = append(paths, file.Path())
	}
	return paths, err
}

// reserved returns the temporary file, or another one where somebody has removed it.
func (f *ResponseFile) reserved() (*os.File, error) {
	if f.reserve != nil {
		if info, err := f.reserve.Stat(); err == nil && isAt(f.reserve.Name(), info) {
			return f.reserve, nil
		}
	}
	return reserve(f.path, f.mode())
}

// Discard gives the file at path free without writing a response. After Close it does nothing. It keeps the results of a run
// that were written.
func (f *ResponseFile) Discard() {
	if f.closed {
		return
	}
	f.closed = true
	if f.reserve == nil {
		return
	}
	if info, err := f.reserve.Stat(); err == nil && isAt(f.reserve.Name(), info) {
		_ = os.Remove(f.reserve.Name()) // the next run would
	}
	_ = f.reserve.Close()
}
