//go:build unix

package h1

import "syscall"

// Idle returns how many idle connections are open and quiet, and leaves them as they are.
func (t *Transport) Idle() (n int) {
	t.pool.mu.Lock()
	defer t.pool.mu.Unlock()
	for _, stack := range t.pool.idle {
		for _, c := range stack {
			_ = c.raw.Read(func(fd uintptr) bool {
				if _, _, err := syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK); err == syscall.EAGAIN {
					n++
				}
				return true
			})
		}
	}
	return n
}
