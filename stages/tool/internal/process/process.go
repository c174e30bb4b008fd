// Package process starts programs, bounds what they may see, and ends them with all that they have started.
//
// A program is the leader of a process group of its own (on Unix), so that Ctrl-C at a terminal reaches only this process,
// which then ends its programs in good order. The group is ended as one: what a program started (npx starts node) ends with
// it, also where the program itself has ended first. What leaves the group, as a daemon does by setsid, is not followed.
//
// Where this process dies without a word (kill -9), the kernel kills the leader (on Linux) and closes the programs' standard
// input, at whose end everything that reads it ends. A child of the leader that doesn't read its input stays.
package process

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"time"
)

// patience is how long End waits after closing the input, and again after asking to terminate.
const patience = 2 * time.Second

// Config is a program to start.
type Config struct {
	Path string   // the program, from Look
	Args []string // beside the program's name
	Env  []string // the whole environment, from Env
	Dir  string   // "": this process's
}

// A Process is a program that was started. Its methods may be called at any time, also at once.
//
// Stdin, Stdout and Stderr are this end of its pipes, and must be read or closed: a program that writes to a full pipe
// waits. The caller closes them, with ClosePipes at the latest.
type Process struct {
	Stdin, Stdout, Stderr *os.File

	group group
	done  chan struct{}
	err   error // how it ended; set before done is closed
}

// Start starts a program. A goroutine waits for it and returns when the program has ended.
func Start(c Config) (*Process, error) {
	theirs, ours, err := pipes()
	if err != nil {
		return nil, err
	}
	defer closeAll(theirs)
	cmd := &exec.Cmd{
		Path: c.Path, Args: append([]string{c.Path}, c.Args...), Env: append([]string{}, c.Env...), Dir: c.Dir,
		Stdin: theirs[0], Stdout: theirs[1], Stderr: theirs[2],
		SysProcAttr: attributes(),
	}
	p := &Process{Stdin: ours[0], Stdout: ours[1], Stderr: ours[2], done: make(chan struct{})}
	started := make(chan error)
	go p.live(cmd, started)
	if err := <-started; err != nil {
		closeAll(ours)
		return nil, err
	}
	return p, nil
}

// live starts the program, waits for its end, and takes down what it leaves.
//
// Linux kills a child when the thread that started it ends (go.dev/issue/27505), and Go ends a thread when a goroutine that
// is locked to it returns: with a thread from the pool, a stranger's goroutine could kill the program. So the thread is kept
// for as long as the program runs. It costs nothing, since waiting for a program holds a thread anyway.
func (p *Process) live(cmd *exec.Cmd, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := cmd.Start()
	if err == nil {
		p.group.leader = cmd.Process
	}
	started <- err
	if err == nil {
		p.err = p.group.wait(cmd)
		close(p.done)
	}
}

// Done is closed when the program has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err says how a program ended that is done: nil for an exit status of 0, else an *exec.ExitError.
func (p *Process) Err() error {
	<-p.done
	return p.err
}

// Kill kills the program and its group at once. It doesn't wait.
func (p *Process) Kill() { p.group.signal(kill) }

// End closes the program's input and waits for its end; asks the group to terminate if that takes more than 2 s; and kills
// the group after 2 s more, or as soon as ctx ends.
func (p *Process) End(ctx context.Context) {
	p.Stdin.Close()
	if !p.wait(ctx) && ctx.Err() == nil {
		p.group.signal(terminate)
		p.wait(ctx)
	}
	p.Kill() // nobody, where it has ended
	<-p.done
}

// wait reports whether the program ends soon.
func (p *Process) wait(ctx context.Context) bool {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.done:
		return true
	case <-ctx.Done():
	case <-timer.C:
	}
	return false
}

// ClosePipes closes this end of the pipes, also under reads and writes that wait.
func (p *Process) ClosePipes() { closeAll([3]*os.File{p.Stdin, p.Stdout, p.Stderr}) }

// pipes makes the standard input, output and error of a program.
func pipes() (theirs, ours [3]*os.File, err error) {
	for i := range theirs {
		r, w, err := os.Pipe()
		if err != nil {
			closeAll(theirs)
			closeAll(ours)
			return theirs, ours, fmt.Errorf("making a pipe: %w", err)
		}
		if theirs[i], ours[i] = w, r; i == 0 {
			theirs[i], ours[i] = r, w
		}
	}
	return theirs, ours, nil
}

func closeAll(files [3]*os.File) {
	for _, f := range files {
		f.Close() // also of nil
	}
}
