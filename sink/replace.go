package sink

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// replaceFile has fill write a file beside path, made by create, that takes path's place and mode once it is safe on disk.
// Where that fails, path is left as it was. A pipe or device at path is written to as it is.
func replaceFile(path string, create creator, fill func(io.Writer) error) (err error) {
	path = resolve(path) // a link stays a link
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return fillInPlace(path, fill)
	}
	file, createErr := create()
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
	if err := file.Sync(); err != nil && !cannotSync(err) { // else a crash could leave the new name with no content
		return err
	}
	if runtime.GOOS == "windows" { // an open file has no new name there; elsewhere it is locked until it has
		_ = file.Close()
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return err
	}
	_ = file.Close() // it is safe since Sync
	return syncDir(path)
}

// resolve returns the path without symbolic links. A path that can't be resolved is returned as it is.
func resolve(path string) string {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		return target
	}
	return path
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

// createAnew creates a temporary file for who has locked what it belongs to: it has always the same name, and takes the place
// of one that a killed run has left.
func createAnew(path string, mode os.FileMode) (*os.File, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, mode)
}

// createLocked is [createAnew] for who has locked nothing else: the file itself is locked until it is closed, and refused
// where another run has it.
func createLocked(path string, mode os.FileMode) (*os.File, error) {
	for {
		file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, mode)
		if errors.Is(err, fs.ErrExist) {
			if err := removeUnlocked(path); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := lock(file); err != nil { // another run took it for one that a killed run has left
			_ = file.Close()
			return nil, err
		}
		if info, err := file.Stat(); err == nil && isAt(path, info) {
			return file, nil
		}
		_ = file.Close() // likewise
	}
}

// removeUnlocked removes a file that a killed run has left.
func removeUnlocked(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	if err := lock(file); err != nil {
		return err
	}
	if info, err := file.Stat(); err == nil && isAt(path, info) {
		return os.Remove(path)
	}
	return nil
}
