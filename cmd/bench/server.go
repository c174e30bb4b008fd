package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// serverProcess is this program's serve as a process. End it with stop.
type serverProcess struct {
	baseURL string
	cmd     *exec.Cmd
	stdin   io.Closer
	stdout  *bufio.Reader
}

func startServer(ctx context.Context, s script) (*serverProcess, error) {
	cmd, err := selfCommand(ctx, append([]string{"serve"}, s.args()...)...)
	if err != nil {
		return nil, err
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	server := &serverProcess{cmd: cmd, stdin: stdin, stdout: bufio.NewReader(stdout)}
	line, err := server.stdout.ReadString('\n')
	if err != nil {
		_, stopped := server.stop()
		return nil, errors.Join(fmt.Errorf("starting the server: %w", err), stopped)
	}
	server.baseURL = strings.TrimSpace(line)
	return server, nil
}

// stop ends the server and returns what it says in the end.
func (p *serverProcess) stop() (served, error) {
	_ = p.stdin.Close() // tells it to end
	var s served
	err := json.NewDecoder(p.stdout).Decode(&s)
	return s, errors.Join(err, p.cmd.Wait())
}

// selfCommand is this program as a process.
func selfCommand(ctx context.Context, args ...string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Stderr = os.Stderr
	return cmd, nil
}
