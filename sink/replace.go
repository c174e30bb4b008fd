package sink

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// replaceFile has fill write a file beside path, made by create, that takes path's place and mode once it is safe on disk.
// Where that fails, path is left as it was. A pipe or device at path is written to as it is.
func replaceFile(path string, create func(path string) (*os.File, error), fill func(io.Writer) error) (err error) {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // the link stays a link
	}
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return fillInPlace(path, fill)
	}
	file, createErr := create(path)
	if createErr != nil {
		return createErr
	}
	defer func() {
		if err != nil {
			_ = file.Close()
			_ = os.Remove(file.Name())
		}
	}()
	if info != nil {
		if err := file.Chmod(info.Mode().Perm()); err != nil {
			return err
		}
	}
	if err := fillBuffered(file, fill); err != nil {
		return err
	}
	if err := file.Sync(); err != nil { // else a crash could leave the new name with no content
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

func fillInPlace(path string, fill func(io.Writer) error) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if err := fillBuffered(file, fill); err != nil {
		_ = file.Close()
		return err
	}
	return file.Close()
}

func fillBuffered(w io.Writer, fill func(io.Writer) error) error {
	out := bufio.NewWriterSize(w, 256<<10)
	if err := fill(out); err != nil {
		return err
	}
	return out.Flush()
}

// createBeside creates a temporary file in path's directory, with the mode of any new file.
func createBeside(path string) (*os.File, error) {
	return os.OpenFile(fmt.Sprintf("%s.%016x.tmp", path, rand.Uint64()), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
}

// createAnew is [createBeside] for who has locked path: the file has always the same name, and takes the place of one that a
// killed run has left.
func createAnew(path string) (*os.File, error) {
	name := path + ".rerun.tmp"
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
}
