package sink

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
)

// JSONLOptions say what [OpenJSONL] does with a file that exists. The zero value continues it.
type JSONLOptions struct {
	// Overwrite empties the file, whatever it holds.
	Overwrite bool
	// RerunFailed takes the failed records out of the file, so that their requests are done again. The file is replaced as a
	// whole before OpenJSONL returns. It means nothing with Overwrite.
	RerunFailed bool
	// Sync says when records are flushed to the disk; default [SyncInterval]: a second after they were written.
	Sync SyncPolicy
	// Mode is the mode of a file that is created, before the umask; default 0666. A file that exists keeps its mode.
	Mode os.FileMode
}

func (o *JSONLOptions) mode() os.FileMode { return cmp.Or(o.Mode, 0o666) }

// Recovery is what opening an existing file of results found and repaired, for a message to people.
type Recovery struct {
	DroppedBytes  int64 // of a last record that had broken off, cut away
	CompletedLine bool  // the last record was whole but for the end of its line, which was added
	RemovedFailed int   // failed records taken out by RerunFailed
	RepeatedIDs   int   // records whose id a later record has too: that one counts for Done, both in the summary
}

// OpenJSONL opens or creates the file of results at path, to append to it; see [JSONLFile]. The caller closes it, usually
// by handing it to the engine.
//
// A file that has records is continued. It is read once: in constant memory, but for 16 bytes an id. A last record that
// broke off when an earlier run died is cut away. A file that holds anything but results is refused and left as it is.
// Pipes and devices are only written to; opening a pipe waits for its reader.
//
// The file is locked until it is closed or the process dies: a file that another run is writing is refused. Where the system
// or the file system has no such lock, two runs at once are not noticed.
func OpenJSONL(path string, options JSONLOptions) (*JSONLFile, error) {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return nil, fmt.Errorf("%s is a directory: want a file for the results", path)
	case err == nil && !info.Mode().IsRegular():
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			return nil, err
		}
		return newJSONLFile(path, file, nil).begin(SyncNever), nil
	}
	created := err != nil
	f, err := openLocked(path, options.mode())
	if err != nil {
		return nil, err
	}
	if f, err = f.prepare(&options); err == nil && created && options.Sync != SyncNever {
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
func openLocked(path string, mode os.FileMode) (*JSONLFile, error) {
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
			return newJSONLFile(path, file, info), nil
		}
		_ = file.Close() // another run has replaced it before it was locked
	}
}

// isAt tells whether path still leads to a file that was opened.
func isAt(path string, opened os.FileInfo) bool {
	atPath, err := os.Stat(path)
	return err == nil && os.SameFile(atPath, opened)
}

// prepare makes a file that was just opened ready to be written. The file that it returns, also beside an error, is to be
// closed in place of f.
func (f *JSONLFile) prepare(options *JSONLOptions) (*JSONLFile, error) {
	_ = os.Remove(rerunPath(f.path)) // a run that was killed has left it, since this one has the lock
	if options.Overwrite {
		return f, f.file.Truncate(0)
	}
	if options.RerunFailed {
		removed, err := removeFailed(f.path)
		if err != nil {
			return f, err
		}
		if removed.RemovedFailed > 0 { // f is not the file at the path any more
			replaced, err := openLocked(f.path, options.mode())
			if err != nil {
				return f, err
			}
			_ = f.file.Close()
			f = replaced
		}
		f.recovery = removed
	}
	return f, f.recover()
}

// recover reads the records of an earlier run and mends the end of the file.
func (f *JSONLFile) recover() error {
	records := newRecordReader(f.path, f.file)
	repeated, err := f.records.load(records)
	if err != nil {
		return err
	}
	f.recovery.RepeatedIDs = repeated
	f.size = records.end
	if records.torn > 0 {
		if err := f.file.Truncate(f.size); err != nil {
			return err
		}
		f.recovery.DroppedBytes += records.torn
	}
	if !records.whole {
		if _, err := f.file.Write([]byte{'\n'}); err != nil {
			return err
		}
		f.size++
		f.recovery.CompletedLine = true
	}
	return nil
}

// rerunPath is where a file without failed records is made, before it takes the place of the one at path.
func rerunPath(path string) string { return resolve(path) + ".rerun.tmp" }

var errNothingFailed = errors.New("nothing failed")

// removeFailed replaces the file by one without failed records, unless there are none.
func removeFailed(path string) (Recovery, error) {
	file, err := os.Open(path)
	if err != nil {
		return Recovery{}, err
	}
	defer func() { _ = file.Close() }()
	records, removed := newRecordReader(path, file), 0
	create := func() (*os.File, error) { return createAnew(rerunPath(path), 0o666) }
	err = replaceFile(path, create, func(w io.Writer) error {
		for records.next() {
			if !*records.record.Success {
				removed++
				continue
			}
			if _, err := fmt.Fprintf(w, "%s\n", records.line); err != nil {
				return err
			}
		}
		if records.err == nil && removed == 0 {
			return errNothingFailed
		}
		return records.err
	})
	switch {
	case errors.Is(err, errNothingFailed):
		return Recovery{}, nil
	case err != nil:
		return Recovery{}, fmt.Errorf("taking the failed records out of %s: %w", path, err)
	}
	return Recovery{DroppedBytes: records.torn, CompletedLine: !records.whole, RemovedFailed: removed}, nil
}

// foreign says what to do about a file that holds something else than results.
func foreign(err error) error {
	if errors.Is(err, errNotARecord) {
		return fmt.Errorf("%w; choose another output, or overwrite this one", err)
	}
	return err
}
