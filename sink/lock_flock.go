//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package sink

import (
	"errors"
	"os"
	"syscall"
)

// lock keeps others from writing the file until it is closed, also by the death of the process. The lock is advisory: it
// binds only those who ask for it. A file system that knows no locks goes without.
func lock(file *os.File) error {
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EWOULDBLOCK):
			return errInUse
		default:
			return nil
		}
	}
}
