// Package parquet writes results to Parquet files.
package parquet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// Options say what the columns of a file are, and what [Open] does with one that exists.
type Options struct {
	// FileOptions are those of other files of results. Overwrite removes the Parquet file and the journal. RerunFailed has the
	// failed requests done again; their rows stay in the Parquet file until they have new results.
	sink.FileOptions
	// Table is the layout of the results. It is required.
	Table *sink.Table
}

// File is a Parquet file of results that a later run continues.
//
// A Parquet file can be read only once its end is written. So results go to a journal first: a file of JSON Lines beside it,
// at the path with .results.jsonl behind it. It promises all that a [sink.File] does: what Write has written survives the
// death of the process, its [sink.SyncPolicy] says what survives a loss of power, and nobody else can write it meanwhile.
// Close makes the Parquet file, of the rows that it had and of the journal, under a temporary name. It takes the file's place
// in one step, and then the journal is removed. So does the Close of a run that broke. Whatever dies or fails at any moment,
// the next run continues with what both files have, and no result is lost or doubled.
//
// The rows are those that the file had, but for those that have a new result, and then the new ones in the order of Write.
// Columns are optional, and have these types: text STRING, int INT64, float DOUBLE, bool BOOLEAN, time TIMESTAMP in
// microseconds of UTC, bytes BYTE_ARRAY, vector LIST of FLOAT, json JSON. A float of the row that is no number (NaN,
// infinity) is null. They are compressed by Zstandard. A row group has 64 Ki rows or 32 MiB of values; memory is one of
// them, compressed, and 16 bytes an id.
type File struct {
	path    string
	target  string // the path without symbolic links
	mode    os.FileMode
	table   *sink.Table
	journal *sink.File
	base    *base // nil where there was no file

	done     *sink.Records // of the base
	earlier  batch.Summary
	recovery sink.Recovery
	pending  bool // the journal has records
	values   []any
	closing  sync.Once
	closeErr error
}

// Open opens or creates the file of results at path; see [File]. The caller closes it, usually by handing it to the engine.
//
// A file that exists is continued: its columns must be those of the table. It is read once. One that is no Parquet file, or
// has other columns, is refused and left as it is.
func Open(path string, options Options) (*File, error) {
	if options.Table == nil {
		return nil, errors.New("a Parquet file needs a table: its columns")
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: want a file for the results: a Parquet file is made as a whole", path)
	}
	target := path
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		target = resolved
	}
	journal, err := sink.OpenJSONL(target+".results.jsonl", options.FileOptions)
	if err != nil {
		return nil, err
	}
	f := &File{
		path: path, target: target, mode: options.Mode, table: options.Table, journal: journal,
		earlier: journal.Earlier(), recovery: journal.Recovered(),
	}
	f.pending = f.earlier.TotalRequests > 0
	if err := f.openBase(&options.FileOptions); err != nil {
		f.base.close()
		return nil, errors.Join(err, f.leaveJournal(context.Background()))
	}
	return f, nil
}

// openBase finds out what the Parquet file has that the journal doesn't. The journal's lock is held.
func (f *File) openBase(options *sink.FileOptions) (err error) {
	_ = os.Remove(f.temporary()) // a run that was killed has left it
	if options.Overwrite {
		if err := os.Remove(f.target); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	if f.base, err = openBase(f.target, f.table); err != nil || f.base == nil {
		return err
	}
	f.done, err = sink.CollectRecords(f.path, f.base.results(func(r *batch.Result) bool {
		if newer, _ := f.journal.Done(r.ID, ""); newer {
			return true
		}
		if !r.Success && options.RerunFailed {
			f.recovery.RemovedFailed++
			return true
		}
		return false
	}))
	if err != nil {
		return err
	}
	earlier := f.done.Earlier()
	f.earlier.Merge(&earlier)
	return nil
}

// Path returns the path as it was given to [Open].
func (f *File) Path() string { return f.path }

// Done tells whether the file had a result of this id when it was opened. It is a [*sink.ChangedError] if that belongs to
// another request: if both have a fingerprint, and these differ. Done is safe for concurrent use.
func (f *File) Done(id, fingerprint string) (bool, error) {
	done, err := f.journal.Done(id, fingerprint)
	if done || err != nil || f.done == nil {
		return done, err
	}
	return f.done.Done(id, fingerprint)
}

// Earlier returns the counts of the results that the file had when it was opened, but for those to be done again.
// TotalRequests is the number of these results.
func (f *File) Earlier() batch.Summary { return f.earlier }

// Recovered tells what was found and repaired in the journal when the file was opened. RemovedFailed also counts the failed
// rows of the Parquet file whose requests are to be done again.
func (f *File) Recovered() sink.Recovery { return f.recovery }

// Write writes the results to the journal, as [sink.File.Write] does. A result that doesn't fit the table is an error, and so
// is one that can't be encoded; the rest of its batch is written.
func (f *File) Write(ctx context.Context, results []*batch.Result) error {
	fitting, err := f.fitting(results)
	if len(fitting) == 0 {
		return err
	}
	f.pending = true
	writeErr := f.journal.Write(ctx, fitting)
	if err == nil {
		return writeErr
	}
	partial, ok := errors.AsType[*sink.PartialError](writeErr)
	switch {
	case writeErr == nil:
		partial = &sink.PartialError{Written: fitting}
	case !ok:
		return errors.Join(err, writeErr)
	}
	return &sink.PartialError{Written: partial.Written, Err: errors.Join(err, writeErr)}
}

// fitting returns those of the results that make a row, on a slice of its own where some don't.
func (f *File) fitting(results []*batch.Result) (fitting []*batch.Result, err error) {
	fitting = results
	for i, r := range results {
		values, rowErr := f.table.AppendValues(f.values[:0], r)
		if rowErr == nil {
			f.values = values
			if err != nil {
				fitting = append(fitting, r)
			}
			continue
		}
		if err == nil {
			fitting = append([]*batch.Result{}, results[:i]...)
		}
		err = errors.Join(err, fmt.Errorf("writing %s: result %q: %w", f.path, r.ID, rowErr))
	}
	return fitting, err
}

// Close makes the Parquet file, unless nothing has changed, and removes the journal. It waits for the disk, and takes half
// a minute or so for a million rows. Where the file can't be made, or ctx ends meanwhile, the journal keeps the results and
// the file is as it was: the next run makes it.
func (f *File) Close(ctx context.Context) error {
	f.closing.Do(func() { f.closeErr = f.closeFile(ctx) })
	return f.closeErr
}

func (f *File) closeFile(ctx context.Context) error {
	defer f.base.close()
	if f.base != nil && !f.pending {
		return f.journal.Remove(ctx)
	}
	if err := f.make(ctx); err != nil {
		if ended := ctx.Err(); ended != nil && errors.Is(err, ended) {
			err = context.Cause(ctx) // whatever was just being done
		}
		err = fmt.Errorf("making %s: %w; the results are kept in %s: run the same again to finish it",
			f.path, err, f.journal.Path())
		return errors.Join(err, f.leaveJournal(ctx))
	}
	return f.journal.Remove(ctx)
}

// leaveJournal closes the journal. One that has nothing isn't left behind.
func (f *File) leaveJournal(ctx context.Context) error {
	if f.pending {
		return f.journal.Close(ctx)
	}
	return f.journal.Remove(ctx)
}
