//go:build !linux && !darwin && !dragonfly && !freebsd && !netbsd && !openbsd

package process

import (
	"os"
	"os/exec"
	"syscall"
)

const (
	kill      = syscall.SIGKILL
	terminate = syscall.SIGTERM
)

// group is the program alone, on systems where no group of processes can be signalled.
type group struct{ leader *os.Process }

func attributes() *syscall.SysProcAttr { return nil }

func (g *group) wait(leader *exec.Cmd) error { return leader.Wait() }

// signal kills: other signals reach no process everywhere.
func (g *group) signal(syscall.Signal) { _ = g.leader.Kill() }
