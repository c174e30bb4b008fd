//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package process

import (
	"syscall"

	"golang.org/x/sys/unix"
)

func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// awaitEnd waits for the end of a child without reaping it. An error says that it has ended.
func awaitEnd(pid int) {
	queue, err := unix.Kqueue()
	if err != nil {
		return // out of files: nothing would tell its end, so it is killed now
	}
	defer unix.Close(queue)
	ends := make([]unix.Kevent_t, 1)
	unix.SetKevent(&ends[0], pid, unix.EVFILT_PROC, unix.EV_ADD|unix.EV_ONESHOT)
	ends[0].Fflags = unix.NOTE_EXIT
	for {
		if _, err := unix.Kevent(queue, ends, ends, nil); err != unix.EINTR {
			return
		}
	}
}
