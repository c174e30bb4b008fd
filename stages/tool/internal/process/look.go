package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Look finds a program, in PATH where it is a bare name, else relative to dir ("": this process's), and returns its absolute
// path. The error says what to do.
func Look(program, dir string) (string, error) {
	if program == "" {
		return "", errors.New("the command names no program")
	}
	name := program
	if strings.ContainsRune(filepath.ToSlash(name), '/') && !filepath.IsAbs(name) {
		name = filepath.Join(dir, name)
		if !filepath.IsAbs(name) {
			name = "." + string(filepath.Separator) + name // Join drops the dot, without which PATH is searched
		}
	}
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
		return filepath.Abs(path)
	case name == program && errors.Is(err, exec.ErrNotFound):
		return "", fmt.Errorf("the program %q is not in PATH: install it, or give its path", program)
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("the program %q does not exist", program)
	case errors.Is(err, fs.ErrPermission):
		return "", fmt.Errorf("the program %q is not executable (chmod +x makes it so)", program)
	}
	return "", fmt.Errorf("looking for the program %q: %w", program, err)
}

// CheckDir says what is wrong with a directory to work in.
func CheckDir(dir string) error {
	if dir == "" {
		return nil
	}
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("the directory %q does not exist", dir)
	case err != nil:
		return fmt.Errorf("the directory to work in: %w", err)
	case !info.IsDir():
		return fmt.Errorf("%q is not a directory", dir)
	}
	return nil
}
