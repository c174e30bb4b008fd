package sink

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
)

// FileOptions say what opening a [File] does with one that exists. The zero value continues it.
type FileOptions struct {
	// Overwrite empties the file, whatever it holds.
	Overwrite bool
	// RerunFailed takes the failed records out of the file, so that their requests are done again. The file is replaced as a
	// whole before it is opened. It means nothing with Overwrite.
	RerunFailed bool
	// Sync says when records are flushed to the disk; default [SyncInterval]: a second after they were written.
	Sync SyncPolicy
	// Mode is the mode of a file that is created, before the umask; default 0666. A file that exists keeps its mode.
	Mode os.FileMode
}

func (o *FileOptions) mode() os.FileMode { return cmp.Or(o.Mode, 0o666) }

// Recovery is what opening an existing file of results found and repaired, for a message to people.
type Recovery struct {
	DroppedBytes  int64 // of a last record that had broken off, cut away
	CompletedLine bool  // the last record was whole but for the end of its line, which was added
	RemovedFailed int   // failed records taken out by RerunFailed
	RepeatedIDs   int   // records whose id a later record has too: that one counts for Done, both in the summary
}

// openFile opens or creates a file of results; see [File] and [FileOptions].
func openFile(path string, format format, options *FileOptions) (*File, error) {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return nil, fmt.Errorf("%s is a directory: want a file for the results", path)
	case err == nil && !info.Mode().IsRegular():
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			return nil, err
		}
		return beginPipe(newFile(path, format, file, nil))
	}
	created := err != nil
	f, err := openLocked(path, format, options.mode())
	if err != nil {
		return nil, err
	}
	if f, err = f.prepare(options); err == nil && created && options.Sync != SyncNever {
		err = syncDir(f.target)
	}
	if err != nil {
		_ = f.file.Close()
		return nil, foreign(err)
	}
	return f.begin(options.Sync), nil
}

var errInUse = errors.New("another run is writing it: wait for its end, or choose another output")

// openLocked opens or creates a regular file that nobody else writes.
func openLocked(path string, format format, mode os.FileMode) (*File, error) {
	for {
		file, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, mode)
		if err != nil {
			return nil, err
		}
		if err := lock(file); err != nil {
			_ = file.Close()
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if info, err := file.Stat(); err == nil && isAt(path, info) {
			return newFile(path, format, file, info), nil
		}
		_ = file.Close() // another run has replaced it before it was locked
	}
}

// beginPipe makes a pipe or device ready, which is only written to.
func beginPipe(f *File) (*File, error) {
	f = f.begin(SyncNever)
	if header := f.format.header(); header != nil {
		if _, err := f.store.append(encoded{data: header}); err != nil {
			return nil, errors.Join(err, f.close())
		}
	}
	return f, nil
}

// isAt tells whether path still leads to a file that was opened.
func isAt(path string, opened os.FileInfo) bool {
	atPath, err := os.Stat(path)
	return err == nil && os.SameFile(atPath, opened)
}

// prepare makes a file that was just opened ready to be written. The file that it returns, also beside an error, is to be
// closed in place of f.
func (f *File) prepare(options *FileOptions) (*File, error) {
	_ = os.Remove(rerunPath(f.path)) // a run that was killed has left it, since this one has the lock
	if options.Overwrite {
		if err := f.file.Truncate(0); err != nil {
			return f, err
		}
		f.store = newStore(f.path, f.file, true) // by its name now
		_, err := f.store.mend(ending{}, f.format.header())
		return f, err
	}
	if options.RerunFailed {
		removed, err := removeFailed(f.path, f.format, codecOf(f.path, f.file))
		if err != nil {
			return f, err
		}
		if removed.RemovedFailed > 0 {
			if f, err = f.reopen(options); err != nil {
				return f, err
			}
		}
		f.recovery = removed
	}
	replaced, err := f.recover()
	if err != nil || !replaced {
		return f, err
	}
	mended, err := f.reopen(options)
	if err != nil {
		return f, err
	}
	mended.records, mended.recovery = f.records, f.recovery
	_, err = mended.store.mend(ending{}, nil)
	return mended, err
}

// reopen opens the file that has taken the place of f, and closes f.
func (f *File) reopen(options *FileOptions) (*File, error) {
	replaced, err := openLocked(f.path, f.format, options.mode())
	if err != nil {
		return f, err
	}
	_ = f.file.Close()
	return replaced, nil
}

// recover reads the records of an earlier run and mends the end of the file; see [store] about one that was replaced.
func (f *File) recover() (replaced bool, err error) {
	records := f.format.records(f.path, f.store.reader())
	repeated, err := f.records.load(records)
	if err != nil {
		return false, err
	}
	f.recovery.RepeatedIDs = repeated
	end, _ := records.end()
	f.recovery.DroppedBytes += end.torn
	var missing []byte
	switch {
	case end.offset == 0:
		missing = f.format.header()
	case end.bare:
		missing = []byte{'\n'}
		f.recovery.CompletedLine = true
	}
	return f.store.mend(end, missing)
}

// rerunPath is where a file without failed records is made, before it takes the place of the one at path.
func rerunPath(path string) string { return resolve(path) + ".rerun.tmp" }

var errNothingFailed = errors.New("nothing failed")

// removeFailed replaces the file by one without failed records, unless there are none.
func removeFailed(path string, format format, codec *codec) (Recovery, error) {
	records, file, err := openRecords(path, format)
	if err != nil {
		return Recovery{}, err
	}
	defer func() { _ = file.Close() }()
	removed := 0
	create := func() (*os.File, error) { return createAnew(rerunPath(path), 0o666) }
	err = replaceFile(path, create, codec.compressed(func(w io.Writer) error {
		if _, err := w.Write(format.header()); err != nil {
			return err
		}
		for records.next() {
			found := records.found()
			if !found.success {
				removed++
				continue
			}
			if _, err := fmt.Fprintf(w, "%s\n", found.text); err != nil {
				return err
			}
		}
		_, err := records.end()
		if err == nil && removed == 0 {
			return errNothingFailed
		}
		return err
	}))
	switch {
	case errors.Is(err, errNothingFailed):
		return Recovery{}, nil
	case err != nil:
		return Recovery{}, fmt.Errorf("taking the failed records out of %s: %w", path, err)
	}
	end, _ := records.end()
	return Recovery{DroppedBytes: end.torn, CompletedLine: end.bare, RemovedFailed: removed}, nil
}

// foreign says what to do about a file that holds something else than results.
func foreign(err error) error {
	if errors.Is(err, errNotARecord) || errors.Is(err, errBroken) {
		return fmt.Errorf("%w; choose another output, or overwrite this one", err)
	}
	return err
}
