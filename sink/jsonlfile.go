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
// death of the process; its [SyncPolicy] says what survives a loss of power.
//
// A file that somebody removes, renames, replaces or cuts meanwhile breaks the run at the next Write, or at Close. What was
// written is put back in its place, or kept beside whatever is there now. The error tells.
type JSONLFile struct {
	path      string
	target    string // the path without symbolic links
	file      *os.File
	info      os.FileInfo // of a regular file, else nil: a pipe or device
	out       io.Writer   // the file; a test's disk can be full
	size      int64       // the end of the last whole record of a regular file
	displaced bool        // it was found not in its place, or cut
	encoder   encoder
	syncer    *syncer
	close     func() error

	records  *Records // of earlier runs
	recovery Recovery
}

// Path returns the path as it was given to [OpenJSONL]. Where something else has taken that place since, it is the path of
// the file that Write or Close then kept the records in.
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
// the rest is taken back, so that the file can be continued; the error is a [*PartialError] then. A result that can't be
// encoded is an error; the rest of its batch is written.
//
// Write first looks whether the file is still in its place, which costs a stat(2) a batch: a run that writes to nowhere
// costs money.
func (f *JSONLFile) Write(_ context.Context, results []*batch.Result) error {
	lines, results, encodeErr := f.encoder.lines(results)
	if encodeErr != nil {
		encodeErr = fmt.Errorf("writing %s: %w", f.path, encodeErr)
	}
	if len(lines) == 0 {
		return encodeErr
	}
	written, err := f.append(lines)
	if err == nil && encodeErr == nil {
		return nil
	}
	return partial(results[:bytes.Count(lines[:written], []byte{'\n'})], errors.Join(encodeErr, err))
}

// append writes lines and returns how many bytes of them are kept: whole lines.
func (f *JSONLFile) append(lines []byte) (kept int, err error) {
	found := f.look()
	if found == cut {
		return 0, f.keepLines(lines)
	}
	n, err := f.out.Write(lines)
	if err != nil {
		kept, err = f.takeBack(lines[:n]), fmt.Errorf("writing results: %w", err)
	} else {
		f.size += int64(n)
		kept, err = n, f.syncer.wrote()
	}
	if found != inPlace {
		saved, rescueErr := f.rescue(found)
		if err = errors.Join(err, rescueErr); !saved {
			kept = 0
		}
	}
	return kept, err
}

// takeBack cuts a record that was written in part, and returns how many bytes stay. Where that fails too, the next opening
// does it. What a pipe has taken of a batch is not known to be read.
func (f *JSONLFile) takeBack(written []byte) (kept int) {
	if f.info == nil {
		return 0
	}
	kept = bytes.LastIndexByte(written, '\n') + 1
	end := f.size + int64(len(written))
	f.size += int64(kept)
	if info, err := f.file.Stat(); err == nil && info.Size() == end { // nobody else has written since
		_ = f.file.Truncate(f.size)
	}
	return kept
}

// Close flushes the file, unless its policy is [SyncNever], and closes it. It waits for the disk.
func (f *JSONLFile) Close(context.Context) error { return f.close() }

func (f *JSONLFile) closeFile() error {
	err := f.syncer.close()
	switch found := f.look(); found {
	case inPlace:
	case cut:
		err = errors.Join(err, f.keepLines(nil)) // there are none
	default:
		_, rescueErr := f.rescue(found)
		err = errors.Join(err, rescueErr)
	}
	return errors.Join(err, f.file.Close())
}

// newJSONLFile returns a file that was just opened. info is nil unless it is a regular file.
func newJSONLFile(path string, file *os.File, info os.FileInfo) *JSONLFile {
	return &JSONLFile{path: path, target: resolve(path), file: file, info: info, out: file, records: newRecords(path)}
}

// begin makes the file ready for Write. From then on it is to be closed by Close.
func (f *JSONLFile) begin(policy SyncPolicy) *JSONLFile {
	f.syncer = newSyncer(policy, func() error { return syncFile(f.file) })
	f.close = sync.OnceValue(f.closeFile)
	return f
}
