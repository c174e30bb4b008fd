//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package process

import (
	"os"
	"os/exec"
	"sync"
	"syscall"
)

const (
	kill      = syscall.SIGKILL
	terminate = syscall.SIGTERM
)

// group is a process group. It is named by its leader's id, which nobody else can be given until the leader is reaped.
type group struct {
	leader *os.Process

	mu     sync.Mutex
	reaped bool
}

// wait waits for the end of the leader, takes down whom it leaves behind, and reaps it, in this order.
func (g *group) wait(leader *exec.Cmd) error {
	awaitEnd(g.leader.Pid)
	g.signal(kill)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.reaped = true
	return leader.Wait()
}

func (g *group) signal(s syscall.Signal) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.reaped {
		_ = syscall.Kill(-g.leader.Pid, s) // an error says that nobody is there any more
	}
}
