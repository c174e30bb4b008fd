//go:build unix

package h1

import "syscall"

// available says that this package can tell an idle connection that is open still from one that isn't.
const available = true

func (c *conn) peekFD(fd uintptr) bool {
	var b [1]byte
	_, err := syscall.Read(int(fd), b[:])
	c.open = err == syscall.EAGAIN
	return true // rather than wait
}
