package command_test

import (
	"bufio"
	"encoding/json"
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

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/tool/command"
)

// asProgram makes the test binary be one of the programs below.
const asProgram = "GLUEPIPE_TEST_COMMAND_PROGRAM"

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
	"arguments":   func() { json.NewEncoder(os.Stdout).Encode(os.Args[1:]) },
	"cat":         func() { io.Copy(os.Stdout, os.Stdin) },
	"environment": func() { fmt.Print(strings.Join(os.Environ(), "\n")) },
	"directory":   func() { dir, _ := os.Getwd(); fmt.Println(dir) },
	"silent":      func() { fmt.Fprintln(os.Stderr, "a warning") },
	"large": func() {
		mebibyte := strings.Repeat("x", 1<<20)
		for range 100 {
			io.WriteString(os.Stdout, mebibyte)
		}
	},
	"exit 3": func() {
		fmt.Println("{\"found\": 0}")
		fmt.Fprintln(os.Stderr, "no such city")
		os.Exit(3)
	},
	"large and exit 1": func() {
		io.WriteString(os.Stdout, strings.Repeat("x", 1<<20))
		os.Exit(1)
	},
	// Tells in a file that it was asked to end.
	"polite": func() {
		asked := make(chan os.Signal, 1)
		signal.Notify(asked, syscall.SIGTERM)
		must(os.WriteFile(os.Getenv("READY"), []byte("ready"), 0o600))
		<-asked
		must(os.WriteFile("asked", nil, 0o600))
	},
	"no text":  func() { io.WriteString(os.Stdout, "caf\xe9\n\n") },
	"stubborn": stubborn,
	// Leaves a stubborn child behind, which has its output.
	"parent": func() {
		child("stubborn")
		fmt.Println("done")
	},
	// Waits for a stubborn child for ever.
	"guardian": func() {
		child("stubborn")
		stubborn()
	},
}

// stubborn tells in a file that it is there, and stays.
func stubborn() {
	signal.Ignore(syscall.SIGTERM, syscall.SIGPIPE)
	if path := os.Getenv("READY"); path != "" {
		os.WriteFile(path, fmt.Append(nil, os.Getpid()), 0o600)
	}
	fmt.Fprintln(os.Stderr, "ready")
	select {}
}

// child starts a program as a child that has the same output, and waits until it is ready.
func child(name string) {
	self, err := os.Executable()
	must(err)
	cmd := exec.Command(self)
	// Of two values of a variable, a program may see the first: the child would be its parent again, and start itself for ever.
	cmd.Env = []string{asProgram + "=" + name}
	cmd.Stdout = os.Stdout
	stderr, err := cmd.StderrPipe()
	must(err)
	must(cmd.Start())
	_, err = bufio.NewReader(stderr).ReadString('\n')
	must(err)
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// config is of a tool that runs one of the programs above.
func config(t testing.TB, program string, arguments ...string) command.Config {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	return command.Config{
		Name: "f", Command: append([]string{self}, arguments...), Env: []string{asProgram + "=" + program, fastExit},
		Parameters: json.RawMessage(`{
			"type": "object", "required": ["a"], "properties": {
				"a": {"type": ["string", "number", "array", "boolean"]}, "b": {"type": ["string", "number"]}, "c": {"type": "string"}
			}}`),
	}
}

func newTool(t testing.TB, c command.Config) batch.Tool {
	t.Helper()
	tool, err := command.New(c)
	require.NoError(t, err)
	return tool
}

// call calls the tool, and requires that it goes well.
func call(t *testing.T, c command.Config, arguments string) string {
	t.Helper()
	answer, err := newTool(t, c).Call(t.Context(), json.RawMessage(arguments))
	require.NoError(t, err)
	return answer
}
