package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/ids"
)

// output is where the results of a run go. It is the run's sink: it also measures what it is given.
type output struct {
	batch.Sink
	meter   *meter
	path    string          // "-" for standard output
	mode    os.FileMode     // of files that are created; 0: as usual
	table   *sink.Table     // the columns of results, where an output has columns
	files   []resultFile    // what can be continued: the output, and the file of errors
	free    []func() error  // what is closed once the files are
	partial []*batch.Result // written, of batches that failed

	response     *sink.ResponseFile // nil if none is wanted
	responsePath string

	interrupted <-chan struct{} // see Close
	notef       func(format string, args ...any)
}

// syncPolicies are the values of --fsync.
var syncPolicies = map[string]sink.SyncPolicy{
	"interval": sink.SyncInterval, "always": sink.SyncAlways, "never": sink.SyncNever,
}

// Write delivers results and measures them.
func (o *output) Write(ctx context.Context, results []*batch.Result) error {
	for _, r := range results {
		o.meter.record(r)
	}
	err := o.Sink.Write(ctx, results)
	if some, ok := err.(*sink.PartialError); ok { //nolint:errorlint // a wrapped one speaks of one file only
		o.partial = append(o.partial, some.Written...)
	}
	if o.response != nil {
		err = errors.Join(err, o.response.Write(ctx, results))
	}
	return err
}

// Done tells whether an earlier run has this request.
func (o *output) Done(id, fingerprint string) (bool, error) {
	for _, file := range o.files {
		if done, err := file.Done(id, fingerprint); done || err != nil {
			return done, err
		}
	}
	return false, nil
}

// IDs returns the ids of an earlier run's results that its file of results keeps in memory, or nil.
func (o *output) IDs() *ids.Index {
	for _, file := range o.files {
		if file, ok := file.(interface{ IDs() *ids.Index }); ok {
			return file.IDs()
		}
	}
	return nil
}

// Earlier returns the counts of what earlier runs have left in the files.
func (o *output) Earlier() batch.Summary {
	var earlier batch.Summary
	for _, file := range o.files {
		counts := file.Earlier()
		earlier.Merge(&counts)
	}
	return earlier
}

func (o *output) continued() bool { return o.Earlier().TotalRequests > 0 }

// state tells what the output has: results.jsonl has 600 records (598 successful, 2 failed).
func (o *output) state() string {
	var names []string
	for _, file := range o.files {
		names = append(names, file.Path())
	}
	verb := "has"
	if len(names) > 1 {
		verb = "have"
	}
	earlier := o.Earlier()
	return fmt.Sprintf("%s %s %s (%s successful, %s failed)", strings.Join(names, " and "), verb,
		plural(earlier.TotalRequests, "record"), commas(earlier.SuccessfulRequests), commas(earlier.FailedRequests))
}

// notes tells what was repaired when the files were opened.
func (o *output) notes() (notes []string) {
	for _, file := range o.files {
		repaired := file.Recovered()
		if repaired.DroppedBytes > 0 {
			notes = append(notes, fmt.Sprintf("%s: the last line had broken off; dropped its %s",
				file.Path(), plural(repaired.DroppedBytes, "byte")))
		}
		if repaired.CompletedLine {
			notes = append(notes, fmt.Sprintf("%s: the last line lacked its end; added it", file.Path()))
		}
		if repaired.RemovedFailed > 0 {
			notes = append(notes, fmt.Sprintf("%s: took out %s, to be done again",
				file.Path(), plural(repaired.RemovedFailed, "failed record")))
		}
		if repaired.RepeatedIDs > 0 {
			notes = append(notes, fmt.Sprintf("%s: %s repeated by a later one, which counts",
				file.Path(), plural(repaired.RepeatedIDs, "record")))
		}
	}
	return notes
}

// places tells where everything went.
func (o *output) places() (places []string) {
	for i, file := range o.files {
		name := "results"
		if i > 0 || o.path == standard {
			name = "failed results"
		}
		places = append(places, name+": "+file.Path())
	}
	if o.response != nil {
		places = append(places, "response: "+o.responsePath)
	}
	return places
}

// countRefused counts as failures what a table refused, as which it stands there, and tells about it.
func (o *output) countRefused(summary *batch.Summary) (notes []string) {
	for _, file := range o.files {
		table, ok := file.(databaseTable)
		if !ok || table.Refused() == 0 {
			continue
		}
		refused := batch.Summary{
			SuccessfulRequests: -table.Refused(), FailedRequests: table.Refused(),
			FailedByType: map[batch.ErrorKind]int{batch.ErrStage: table.Refused()},
		}
		summary.Merge(&refused)
		notes = append(notes, fmt.Sprintf("%s: refused %s, which it has as failures: the column error tells why",
			file.Path(), plural(table.Refused(), "answer")))
	}
	return notes
}

// kept tells whether the results can be read again: whether they are in a file, not in a pipe or device.
func (o *output) kept() bool {
	return isRegular(o.path) || len(o.files) > 0 && o.path != standard && (isDatabase(o.path) || formatOfName(o.path) == formatParquet)
}

func isRegular(path string) bool {
	info := fileInfo(path, nil)
	return info != nil && info.Mode().IsRegular()
}

func (o *output) name() string {
	switch {
	case o.path == standard:
		return "standard output"
	case isDatabase(o.path):
		return databaseName(o.path)
	}
	return o.path
}

// explain says what to do about the error of a run.
func (o *output) explain(err error) error {
	var failed *batch.RequestError
	var changed *sink.ChangedError
	switch {
	case errors.As(err, &changed) && changed.Failed:
		return fmt.Errorf("%w; or do the failed requests again: --rerun-failed", err)
	case errors.As(err, &failed):
		return fmt.Errorf("stopped at the first failure: %w", err)
	case errors.Is(err, syscall.EPIPE) && wroteTo(err, os.Stdout.Name()):
		return errors.New("standard output was closed before all results were written; -o FILE keeps them")
	case errors.Is(err, syscall.EPIPE):
		return fmt.Errorf("%w: its reader ended before all results were written; a file would keep them", err)
	}
	return err
}

// wroteTo tells whether err comes from writing to the file of that name.
func wroteTo(err error, name string) bool {
	failed, ok := errors.AsType[*fs.PathError](err)
	return ok && failed.Path == name
}

// close frees the files where the run, which closes them, has not begun.
func (o *output) close(ctx context.Context) {
	for _, file := range o.files {
		_ = file.Close(ctx) // nothing was written, or the run has closed it and told
	}
	if o.response != nil {
		o.response.Discard() // likewise
	}
	for _, free := range o.free {
		_ = free() // nothing is left to be written
	}
}
