package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

// newTerminal returns the two ends of a pseudo-terminal.
func newTerminal(t *testing.T) (screen, terminal *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("needs /dev/ptmx")
	}
	t.Cleanup(func() { _ = screen.Close() })
	var unlocked, number int32
	control := func(request uintptr, value *int32) {
		_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, screen.Fd(), request, uintptr(unsafe.Pointer(value)))
		require.Zero(t, errno)
	}
	control(syscall.TIOCSPTLCK, &unlocked)
	control(syscall.TIOCGPTN, &number)
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = terminal.Close() })
	return screen, terminal
}

// shown runs a command whose standard streams are the given ends of a terminal, and returns what it shows.
func shown(t *testing.T, cmd *exec.Cmd, screen, terminal *os.File) string {
	t.Helper()
	require.NoError(t, cmd.Start())
	require.NoError(t, terminal.Close()) // the program's own then is the last one
	text := make(chan string)
	go func() {
		var all strings.Builder
		buffer := make([]byte, 4096)
		for {
			n, err := screen.Read(buffer)
			all.Write(buffer[:n])
			if err != nil { // EIO: nobody has the terminal any more
				break
			}
		}
		text <- all.String()
	}()
	_ = cmd.Wait()
	return <-text
}

// evil does all that a terminal can be made to do, in a text: title, colours, clipboard, cursor, direction.
const evil = "A\x1b]0;owned\x07B\x1b[2JC\u009b31mD\u009d52;c;Zm9v\u009cE\rF\bG\x7fH\u202eI"

func TestNothingThatServersSayControlsATerminal(t *testing.T) {
	server := llmtest.New(t, llmtest.Config{Respond: func(*llmtest.Request) *llmtest.Answer {
		return llmtest.Error(http.StatusBadRequest, evil, evil)
	}})
	request, err := json.Marshal(map[string]any{"id": evil, "user_message": evil, evil: 1})
	require.NoError(t, err)
	dir := inTempDir(t, map[string]string{"in.jsonl": string(request) + "\n{\"id\": \"" + evil + "\"}\n", "evil" + evil: string(request)})
	for name, test := range map[string]struct {
		args []string
		bar  bool
	}{
		"failures":           {args: []string{"run", "in.jsonl", "--error-strategy", "fail_fast", "-o", "1.jsonl"}},
		"failures and a bar": {args: []string{"run", "in.jsonl", "--error-strategy", "fail_fast", "-o", "2.jsonl", "--progress", "bar"}, bar: true},
		"records":            {args: []string{"run", "in.jsonl"}},
		"logs":               {args: []string{"run", "in.jsonl", "-o", "3.jsonl", "--log-level", "debug", "--log-format", "json"}},
		"a file's name":      {args: []string{"run", "evil" + evil, "-o", "out" + evil}},
		"a file that is not": {args: []string{"run", evil}},
		"a flag":             {args: []string{"run", "in.jsonl", "--" + evil}},
		"a value":            {args: []string{"run", "in.jsonl", "--rpm", evil}},
		"a command":          {args: []string{evil}},
		"a check":            {args: []string{"check", "in.jsonl"}},
		"a dry run":          {args: []string{"run", "in.jsonl", "--dry-run"}},
	} {
		t.Run(name, func(t *testing.T) {
			screen, terminal := newTerminal(t)
			cmd := program(t, test.args...)
			cmd.Env = append(cmd.Env, "GLUEPIPE_MODEL=vllm:echo", "GLUEPIPE_BASE_URL="+server.BaseURL(), "GLUEPIPE_PROGRESS=none")
			cmd.Dir, cmd.Stdout, cmd.Stderr = dir, terminal, terminal
			text := shown(t, cmd, screen, terminal)
			require.NotEmpty(t, text)
			text = strings.ReplaceAll(text, "\r\n", "\n") // the terminal's own
			if test.bar {
				for _, drawn := range []string{"\r", "\x1b[J", "\x1b[K", "\x1b[1A", "\x1b[0J", "\x1b[2A"} {
					text = strings.ReplaceAll(text, drawn, "")
				}
			}
			require.False(t, strings.ContainsFunc(text, controls), "%q", text)
		})
	}
}

func TestAFileOrPipeGetsTheBytesThatATerminalDoesNot(t *testing.T) {
	inTempDir(t, nil)
	request := `{"id": "a", "user_message": "C1 ` + "\u009b" + ` DEL ` + "\x7f" + ` bidi ` + "\u202e" + `"}`
	piped := gluepipe(t, request, nil, "run", "-", "--model", "mock:echo", "--progress", "none").stdout
	require.Contains(t, piped, "C1 \u009b DEL \x7f bidi \u202e")

	screen, terminal := newTerminal(t)
	cmd := program(t, "run", "-", "--model", "mock:echo", "--progress", "none")
	cmd.Stdin, cmd.Stdout = strings.NewReader(request), terminal
	text := shown(t, cmd, screen, terminal)
	require.Contains(t, text, `C1 \u009b DEL \u007f bidi \u202e`)
	var fromPipe, fromTerminal struct{ Response string }
	require.NoError(t, json.Unmarshal([]byte(piped), &fromPipe))
	require.NoError(t, json.Unmarshal([]byte(text), &fromTerminal))
	require.Equal(t, fromPipe, fromTerminal)
}

func TestNothingThatToolsSayControlsATerminal(t *testing.T) {
	inTempDir(t, map[string]string{
		"evil": evil,
		"gluepipe.yaml": `
custom_tools:
  - {name: say, description: "bidi \u202e C1 \u009b", command: [cat, evil]}
`,
	})
	for name, args := range map[string][]string{
		"an answer":   {"tools", "call", "say"},
		"a list":      {"tools"},
		"a JSON list": {"tools", "--json"},
	} {
		t.Run(name, func(t *testing.T) {
			screen, terminal := newTerminal(t)
			cmd := program(t, args...)
			cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal, terminal, terminal
			text := shown(t, cmd, screen, terminal)
			require.NotEmpty(t, text)
			require.False(t, strings.ContainsFunc(strings.ReplaceAll(text, "\r\n", "\n"), controls), "%q", text)
		})
	}
}

// A terminal that is closed hangs up, and takes nothing more.
func TestARunWhoseTerminalIsClosedFinishesWhatIsInFlight(t *testing.T) {
	g := newGate()
	server := llmtest.New(t, llmtest.Config{Respond: g.respond})
	inTempDir(t, map[string]string{"in.jsonl": requests(900)})
	screen, terminal := newTerminal(t)
	cmd := program(t, "run", "in.jsonl", "-o", "out.jsonl", "-c", "4", "--model", "vllm:echo", "--base-url", server.BaseURL())
	cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal, terminal, terminal
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(t, cmd.Start())
	require.NoError(t, terminal.Close())
	for range 4 {
		<-g.arrived
	}
	require.NoError(t, screen.Close()) // the kernel sends SIGHUP, and writes fail from here on
	// Nobody can see that it drains, so that some more calls may come; it doesn't get through all of them.
	require.NoError(t, cmd.Process.Signal(syscall.SIGHUP))
	close(g.open)
	require.Equal(t, exitInterrupted, ended(t, cmd))
	done := len(results(t, read(t, "out.jsonl")))
	require.GreaterOrEqual(t, done, 4)
	require.Less(t, done, 900)
	require.Equal(t, server.Stats().Requests, done)
}
