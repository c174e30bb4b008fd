package process_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/gluepipe/gluepipe/stages/tool/internal/process"
)

// asProgram makes the test binary be one of the programs below.
const asProgram = "GLUEPIPE_TEST_PROCESS_PROGRAM"

// fastExit keeps the race detector from waiting for a second at the end of each program.
const fastExit = "GORACE=atexit_sleep_ms=0"

func TestMain(m *testing.M) {
	if name := os.Getenv(asProgram); name != "" {
		programs[name]()
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

var programs = map[string]func(){
	"echo": func() {
		io.Copy(os.Stdout, os.Stdin)
		fmt.Fprintln(os.Stderr, "input has ended")
	},
	"environment": func() { fmt.Print(strings.Join(os.Environ(), "\n")) },
	"exit 3":      func() { os.Exit(3) },
	// Ends when it is asked to, not when its input ends.
	"polite": func() {
		asked := make(chan os.Signal, 1)
		signal.Notify(asked, syscall.SIGTERM)
		fmt.Println("ready")
		<-asked
	},
	"stubborn": stubborn,
	// Leaves a stubborn child behind.
	"parent": func() {
		child("stubborn")
		os.Exit(0)
	},
	// Waits for a stubborn child for ever.
	"guardian": func() {
		child("stubborn")
		stubborn()
	},
}

func stubborn() {
	signal.Ignore(syscall.SIGTERM, syscall.SIGPIPE)
	fmt.Println("ready")
	select {}
}

// child starts a program as a child that has the same input and errors, in the same group, and waits until it is ready.
func child(name string) {
	self, err := os.Executable()
	must(err)
	cmd := exec.Command(self)
	// Of two values of a variable, a program may see the first: the child would be its parent again, and start itself for ever.
	cmd.Env = []string{asProgram + "=" + name}
	cmd.Stdin, cmd.Stderr = os.Stdin, os.Stderr
	stdout, err := cmd.StdoutPipe()
	must(err)
	must(cmd.Start())
	_, err = bufio.NewReader(stdout).ReadString('\n')
	must(err)
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// start starts one of the programs above.
func start(t *testing.T, name string, env ...string) *process.Process {
	t.Helper()
	p, err := process.Start(config(t, name, env...))
	require.NoError(t, err)
	t.Cleanup(func() {
		p.Kill()
		<-p.Done()
		p.ClosePipes()
	})
	return p
}

func config(t *testing.T, name string, env ...string) process.Config {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	environment, err := process.Env(append(env, asProgram+"="+name, fastExit))
	require.NoError(t, err)
	return process.Config{Path: self, Env: environment}
}

// line reads a line of what a program prints.
func line(t *testing.T, p *process.Process) string {
	t.Helper()
	line, err := bufio.NewReader(p.Stdout).ReadString('\n')
	require.NoError(t, err)
	return strings.TrimSuffix(line, "\n")
}
