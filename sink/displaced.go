package sink

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// standing is what became of an open file.
type standing int

const (
	inPlace standing = iota // or it can't be told: a directory that can't be read now may be so again
	gone                    // there is nothing at its path
	taken                   // there is something else
	cut                     // it has lost records
)

// look finds out whether somebody has moved, replaced or cut the file since it was opened. It tells once.
func (f *File) look() standing {
	if f.info == nil || f.displaced {
		return inPlace
	}
	found := inPlace
	info, err := os.Stat(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		found = gone
	case err != nil:
	case !os.SameFile(info, f.info):
		found = taken
	case info.Size() < f.store.size():
		found = cut
	}
	f.displaced = found != inPlace
	return found
}

// rescue keeps the records of a file that is gone or whose place is taken: they are in the open file still, and nowhere else
// if it was removed. They go back to their place if it is free. kept tells whether that, or another place, took them.
func (f *File) rescue(found standing) (kept bool, err error) {
	what, places := "it was removed or renamed", []creator{at(f.target), at(f.path)}
	if found == taken {
		what, places = "another file took its place", nil
	}
	if f.empty() {
		return true, fmt.Errorf("%s: %s during the run, before it had results: run the same again", f.path, what)
	}
	_ = f.store.finish() // where that fails, the next opening mends the copy
	path, err := f.keep(io.NewSectionReader(f.file, 0, f.store.size()), append(places, beside(f.path), beside(inTempDir(f.path))))
	switch {
	case err != nil:
		return false, fmt.Errorf("%s: %s during the run, and its results can't be kept: %w", f.path, what, err)
	case path == filepath.Clean(f.target), path == filepath.Clean(f.path):
		return true, fmt.Errorf("%s: %s during the run; its results are back in place: run the same again to do the rest",
			f.path, what)
	}
	err = fmt.Errorf("%s: %s during the run; its results are kept in %s: move that file to %s and run the same again",
		f.path, what, path, f.path)
	f.path = path
	return true, err
}

// keepRecords keeps what was to be written to a file that was cut. Somebody may be writing something else to it, so that
// nothing is added before a run has read it again.
func (f *File) keepRecords(data []byte) error {
	size := int64(0)
	if info, err := f.file.Stat(); err == nil {
		size = info.Size()
	}
	err := fmt.Errorf("%s: another program has cut it from %d to %d bytes: run the same again to do what was lost",
		f.path, f.store.size(), size)
	if len(data) == 0 {
		return err
	}
	data = slices.Concat(f.format.header(), data)
	path, keepErr := f.keep(bytes.NewReader(data), []creator{beside(f.path), beside(inTempDir(f.path))})
	if keepErr != nil {
		return fmt.Errorf("%w; the last results can't be kept: %w", err, keepErr)
	}
	return fmt.Errorf("%w; the last results are kept in %s", err, path)
}

// creator creates a file and never opens one that exists.
type creator func() (*os.File, error)

func at(path string) creator {
	return func() (*os.File, error) { return os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600) }
}

func beside(path string) creator {
	return func() (*os.File, error) { return os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".kept-*") }
}

func inTempDir(path string) string { return filepath.Join(os.TempDir(), filepath.Base(path)) }

// keep copies records to the first of the places that takes them all, and returns its path.
func (f *File) keep(records io.ReadSeeker, places []creator) (path string, err error) {
	var errs []error
	for _, create := range places {
		file, err := create()
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if err = f.fill(file, records); err == nil {
			return filepath.Clean(file.Name()), nil
		}
		errs = append(errs, err)
		_ = os.Remove(file.Name())
	}
	return "", errors.Join(errs...)
}

// fill copies records to a new file, safe on the disk and with the mode of f.
func (f *File) fill(file *os.File, records io.ReadSeeker) error {
	defer func() { _ = file.Close() }()
	if err := lock(file); err != nil { // another run has found it already
		return err
	}
	if err := file.Chmod(f.info.Mode().Perm()); err != nil {
		return err
	}
	if _, err := records.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if _, err := io.Copy(file, records); err != nil {
		return err
	}
	if err := syncFile(file); err != nil {
		return err
	}
	return syncDir(file.Name())
}
