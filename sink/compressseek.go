package sink

import (
	"io"
	"os"
	"path/filepath"
)

// seekable returns a file whose text can be read here and there: the file itself, or where it is compressed a temporary one
// with its text, beside the response that is made of it. free closes and removes that.
func seekable(file *os.File, responsePath string) (text *os.File, free func(), err error) {
	c := codecOf(file.Name(), file)
	if c == nil {
		return file, func() {}, nil
	}
	target := resolve(responsePath)
	dir := filepath.Dir(target)
	if info, err := os.Stat(target); err == nil && !info.Mode().IsRegular() { // a device has nothing beside it
		dir = ""
	}
	if text, err = os.CreateTemp(dir, filepath.Base(target)+".records-*.tmp"); err != nil {
		return nil, nil, err
	}
	named := os.Remove(text.Name()) != nil // where open files need names; elsewhere it goes with the process
	free = func() {
		_ = text.Close()
		if named {
			_ = os.Remove(text.Name())
		}
	}
	if _, err = io.Copy(text, newTextReader(c, file)); err == nil {
		_, err = text.Seek(0, io.SeekStart)
	}
	if err != nil {
		free()
		return nil, nil, err
	}
	return text, free, nil
}
