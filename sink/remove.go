package sink

import (
	"context"
	"errors"
	"io/fs"
	"os"
)

// Remove closes the file and removes it: for who has put its results elsewhere, safe on the disk. Nobody else can open it in
// between. A file that isn't in its place any more is closed as Close does it.
func (f *File) Remove(ctx context.Context) error {
	if f.info == nil || f.displaced || !isAt(f.path, f.info) {
		return f.Close(ctx)
	}
	removeErr := os.Remove(f.path)
	f.displaced = removeErr == nil // Close is not to put it back
	err := f.Close(ctx)
	if removeErr != nil { // some systems want it closed first
		removeErr = os.Remove(f.path)
	}
	if errors.Is(removeErr, fs.ErrNotExist) {
		removeErr = nil
	}
	return errors.Join(err, removeErr)
}
