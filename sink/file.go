package sink

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/ids"
)

// File is a file of results that a later run continues. What Write has written survives the death of the process; its
// [SyncPolicy] says what survives a loss of power.
//
// A file that has records is continued. It is read once: in constant memory, but for 16 bytes an id. A last record that
// broke off when an earlier run died is cut away. A file that holds anything but results is refused and left as it is.
// Pipes and devices are only written to; opening a pipe waits for its reader.
//
// A file is compressed where its name ends in .gz or .zst, unless it holds text already; one that holds gzip or zstd data is,
// whatever its name. Each Write makes all that was written so far readable, also where the file breaks off. Opening such a
// file keeps what can be read of it, up to the last whole record. A closed file is as the programs gzip and zstd want it.
//
// The file is locked until it is closed or the process dies: a file that another run is writing is refused. Where the system
// or the file system has no such lock, two runs at once are not noticed.
//
// A file that somebody removes, renames, replaces or cuts meanwhile breaks the run at the next Write, or at Close. What was
// written is put back in its place, or kept beside whatever is there now. The error tells.
type File struct {
	path      string
	target    string // the path without symbolic links
	format    format
	file      *os.File
	info      os.FileInfo // of a regular file, else nil: a pipe or device
	store     store
	displaced bool // it was found not in its place, or cut
	written   bool // it has records of this run
	encoder   encoder
	syncer    *syncer
	close     func() error

	records  *Records // of earlier runs
	recovery Recovery
}

// Path returns the path as it was given when the file was opened. Where something else has taken that place since, it is the
// path of the file that Write or Close then kept the records in.
func (f *File) Path() string { return f.path }

// Earlier returns the counts of the records that were in the file when it was opened, but for those removed then.
// TotalRequests is the number of these records.
func (f *File) Earlier() batch.Summary { return f.records.Earlier() }

// IDs returns the ids that the file had when it was opened. It must not be added to.
func (f *File) IDs() *ids.Index { return f.records.IDs() }

// Recovered tells what was found and repaired when the file was opened.
func (f *File) Recovered() Recovery { return f.recovery }

// Done tells whether the file had a record of this id when it was opened. It is a [*ChangedError] if that record belongs to
// another request: if both have a fingerprint, and these differ. Done is safe for concurrent use.
func (f *File) Done(id, fingerprint string) (bool, error) {
	return f.records.Done(id, fingerprint)
}

// Write appends the results, with one write(2) for all of them. Where that fails, whole records that were written stay, and
// the rest is taken back, so that the file can be continued; the error is a [*PartialError] then. A result that can't be
// encoded is an error; the rest of its batch is written.
//
// Write first looks whether the file is still in its place, which costs a stat(2) a batch: a run that writes to nowhere
// costs money.
func (f *File) Write(_ context.Context, results []*batch.Result) error {
	records, encodeErr := f.encoder.encode(results)
	if encodeErr != nil {
		encodeErr = fmt.Errorf("writing %s: %w", f.path, encodeErr)
	}
	if len(records.data) == 0 {
		return encodeErr
	}
	kept, err := f.append(records)
	if err == nil && encodeErr == nil {
		return nil
	}
	return partial(records.results[:kept], errors.Join(encodeErr, err))
}

// append returns how many of the records are kept.
func (f *File) append(records encoded) (kept int, err error) {
	standing := f.look()
	if standing == cut {
		return 0, f.keepRecords(records.data)
	}
	kept, err = f.store.append(records)
	f.written = f.written || kept > 0
	if err == nil {
		err = f.syncer.wrote()
	}
	if standing != inPlace {
		saved, rescueErr := f.rescue(standing)
		if err = errors.Join(err, rescueErr); !saved {
			kept = 0
		}
	}
	return kept, err
}

// Close flushes the file, unless its policy is [SyncNever], and closes it. It waits for the disk.
func (f *File) Close(context.Context) error { return f.close() }

func (f *File) closeFile() error {
	err := errors.Join(f.store.finish(), f.syncer.close())
	switch standing := f.look(); standing {
	case inPlace:
	case cut:
		err = errors.Join(err, f.keepRecords(nil)) // there are none
	default:
		_, rescueErr := f.rescue(standing)
		err = errors.Join(err, rescueErr)
	}
	return errors.Join(err, f.file.Close())
}

// newFile returns a file that was just opened. info is nil unless it is a regular file.
func newFile(path string, format format, file *os.File, info os.FileInfo) *File {
	return &File{
		path: path, target: resolve(path), format: format, file: file, info: info,
		store: newStore(path, file, info != nil), encoder: encoder{format: format},
		records: newRecords(path, format),
	}
}

// begin makes the file ready for Write. From then on it is to be closed by Close.
func (f *File) begin(policy SyncPolicy) *File {
	f.syncer = newSyncer(policy, func() error { return syncFile(f.file) })
	f.close = sync.OnceValue(f.closeFile)
	return f
}

// empty tells whether the file has no records.
func (f *File) empty() bool { return !f.written && f.records.earlier.TotalRequests == 0 }
