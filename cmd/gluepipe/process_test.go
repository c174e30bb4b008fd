package main

import (
	"bufio"
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

// program returns the program as a process that has not begun.
func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	return cmd
}

// untilLine reads lines until one that begins with prefix, and returns all it read.
func untilLine(t *testing.T, lines *bufio.Reader, prefix string) string {
	t.Helper()
	var seen strings.Builder
	for {
		line, err := lines.ReadString('\n')
		seen.WriteString(line)
		require.NoError(t, err, seen.String())
		if strings.HasPrefix(line, prefix) {
			return seen.String()
		}
	}
}

// gate holds all answers of a server back until it is opened.
type gate struct {
	arrived chan struct{}
	open    chan struct{}
}

func newGate() *gate {
	return &gate{arrived: make(chan struct{}, 1000), open: make(chan struct{})}
}

func (g *gate) respond(r *llmtest.Request) *llmtest.Answer {
	g.arrived <- struct{}{}
	select {
	case <-g.open:
	case <-r.Context().Done():
	}
	return nil
}

func TestOneSignalDrainsAndSaysHowToContinue(t *testing.T) {
	for signal, want := range map[os.Signal]string{
		os.Interrupt:    "interrupted: finishing 4 requests in flight; press Ctrl-C again to cancel them\n",
		syscall.SIGTERM: "terminated: finishing 4 requests in flight, for at most 30s\n",
		syscall.SIGHUP:  "hangup: finishing 4 requests in flight, for at most 30s\n",
	} {
		t.Run(signal.String(), func(t *testing.T) {
			g := newGate()
			server := llmtest.New(t, llmtest.Config{Respond: g.respond})
			inTempDir(t, map[string]string{"in.jsonl": requests(20)})
			args := at(server, "run", "in.jsonl", "-o", "out.jsonl", "-c", "4", "--param", "user=it's me")
			cmd := program(t, args...)
			pipe, err := cmd.StderrPipe()
			require.NoError(t, err)
			stderr := bufio.NewReader(pipe)
			require.NoError(t, cmd.Start())
			for range 4 {
				<-g.arrived
			}
			require.NoError(t, cmd.Process.Signal(signal))
			untilLine(t, stderr, want)
			close(g.open)
			rest, err := io.ReadAll(stderr)
			require.NoError(t, err)
			_ = cmd.Wait()

			require.Equal(t, exitInterrupted, cmd.ProcessState.ExitCode())
			require.Equal(t, 4, server.Stats().Requests)
			require.Len(t, results(t, read(t, "out.jsonl")), 4)
			require.Contains(t, string(rest), "\ncontinue with:  gluepipe run in.jsonl -o out.jsonl -c 4 --param 'user=it'\\''s me' ")

			got := gluepipe(t, "", nil, args...)
			require.Equal(t, exitOK, got.code)
			require.Equal(t, 20, server.Stats().Requests)
		})
	}
}

func TestTwoInterruptsCancel(t *testing.T) {
	g := newGate()
	server := llmtest.New(t, llmtest.Config{Respond: g.respond})
	inTempDir(t, map[string]string{"in.jsonl": requests(20)})
	cmd := program(t, at(server, "run", "in.jsonl", "-o", "out.jsonl", "-c", "4")...)
	pipe, err := cmd.StderrPipe()
	require.NoError(t, err)
	stderr := bufio.NewReader(pipe)
	require.NoError(t, cmd.Start())
	<-g.arrived
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	untilLine(t, stderr, "interrupted: ")
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	rest, err := io.ReadAll(stderr)
	require.NoError(t, err)
	_ = cmd.Wait()

	require.Equal(t, exitInterrupted, cmd.ProcessState.ExitCode())
	require.Contains(t, string(rest), "interrupted again: cancelling what is in flight\n")
	require.Contains(t, string(rest), "\ncontinue with:  gluepipe run in.jsonl -o out.jsonl -c 4 ")
	require.Empty(t, read(t, "out.jsonl"))
}

func TestAnOutputIsWrittenByOneRunAtATimeAndFreeOnceItIsKilled(t *testing.T) {
	g := newGate()
	server := llmtest.New(t, llmtest.Config{Respond: g.respond})
	inTempDir(t, map[string]string{"in.jsonl": requests(2)})
	args := at(server, "run", "in.jsonl", "-o", "out.jsonl")
	cmd := program(t, args...)
	require.NoError(t, cmd.Start())
	<-g.arrived
	for _, flag := range []string{"--overwrite=false", "--overwrite", "--rerun-failed"} {
		got := gluepipe(t, "", nil, append(args, flag)...)
		require.Equal(t, outcome{exitBroken, "", "gluepipe: out.jsonl: another run is writing it: " +
			"wait for its end, or choose another output\n"}, got)
	}
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	close(g.open)
	require.Equal(t, exitOK, gluepipe(t, "", nil, args...).code)
	require.Len(t, results(t, read(t, "out.jsonl")), 2)
}

func TestAnInterruptEndsARunThatWaitsForItsInput(t *testing.T) {
	inTempDir(t, nil)
	cmd := program(t, "run", "-", "--model", "mock:echo", "--progress", "none")
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	defer stdin.Close()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	_, err = io.WriteString(stdin, requests(1))
	require.NoError(t, err)
	_, err = bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	_, err = io.Copy(io.Discard, stdout)
	require.NoError(t, err)
	_ = cmd.Wait()
	require.Equal(t, exitInterrupted, cmd.ProcessState.ExitCode(), stderr.String())
	require.Contains(t, stderr.String(), "\nsuccessful           1\n")
}

func TestAClosedStandardOutputIsToldWithTheSummary(t *testing.T) {
	server := llmtest.New(t, llmtest.Config{})
	inTempDir(t, map[string]string{"in.jsonl": requests(2000)})
	cmd := program(t, at(server, "run", "in.jsonl")...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	_, err = bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	require.NoError(t, stdout.Close())
	_ = cmd.Wait()
	require.Equal(t, exitBroken, cmd.ProcessState.ExitCode(), stderr.String())
	require.Contains(t, stderr.String(), "\nsuccessful ")
	require.True(t, strings.HasSuffix(stderr.String(),
		"\ngluepipe: standard output was closed before all results were written; -o FILE keeps them\n"), stderr.String())
	require.Less(t, server.Stats().Requests, 2000, "nothing more is asked")
}

func TestAReaderThatHasSeenEnoughEndsACheckWithoutANoise(t *testing.T) {
	inTempDir(t, map[string]string{"in.jsonl": requests(3)})
	for _, args := range [][]string{{"check", "in.jsonl"}, {"run", "in.jsonl", "--dry-run"}} {
		cmd := program(t, args...)
		reader, writer, err := os.Pipe()
		require.NoError(t, err)
		require.NoError(t, reader.Close())
		var stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = writer, &stderr
		err = cmd.Run()
		require.NoError(t, writer.Close())
		require.Error(t, err)
		require.NotContains(t, stderr.String(), "broken pipe")
	}
}

func TestStandardOutputIsNeverTheInput(t *testing.T) {
	inTempDir(t, map[string]string{"in.jsonl": requests(1)})
	both, err := os.OpenFile("in.jsonl", os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	defer both.Close()
	cmd := program(t, "run", "in.jsonl", "--model", "mock:echo")
	cmd.Stdout = both
	require.Error(t, cmd.Run())
	require.Equal(t, exitUsage, cmd.ProcessState.ExitCode())
	require.Equal(t, requests(1), read(t, "in.jsonl"))
}

func TestMockServesUntilItIsInterrupted(t *testing.T) {
	inTempDir(t, nil)
	cmd := program(t, "mock", "--addr", "127.0.0.1:0", "--latency", "1ms")
	pipe, err := cmd.StderrPipe()
	require.NoError(t, err)
	stderr := bufio.NewReader(pipe)
	require.NoError(t, cmd.Start())
	seen := untilLine(t, stderr, "press Ctrl-C to stop")
	require.Equal(t, "listening on http://127.0.0.1:PORT/v1\n"+
		"try: gluepipe run requests.jsonl --model vllm:echo --base-url http://127.0.0.1:PORT/v1\n"+
		"press Ctrl-C to stop\n", normal(seen))
	url, _, _ := strings.Cut(strings.TrimPrefix(seen, "listening on "), "\n")
	got := gluepipe(t, requests(3), nil, "run", "-", "-c", "1", "--model", "vllm:echo", "--base-url", url)
	require.Equal(t, exitOK, got.code)
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	rest, err := io.ReadAll(stderr)
	require.NoError(t, err)
	require.NoError(t, cmd.Wait())
	require.Equal(t, "saw 3 requests, at most 1 in flight at once\n", string(rest))
}

func TestVersionTellsWhatItWasBuiltFrom(t *testing.T) {
	output, err := program(t, "version").Output()
	require.NoError(t, err)
	require.Regexp(t, `^gluepipe \S+\nbuilt with go\S+`, string(output))
}

// long tells whether tests take their full sizes, which takes minutes: GLUEPIPE_LONG_TESTS=1.
func long() bool { return os.Getenv("GLUEPIPE_LONG_TESTS") == "1" }

func TestNothingOnDiskIsAskedAgainAfterAKill(t *testing.T) {
	count, kills := 2000, 5
	if long() {
		count, kills = 20_000, 20
	}
	var calls sync.Map // the prompts that were asked since the last kill
	var asked atomic.Int64
	var killAt atomic.Int64
	reached := make(chan struct{}, 1)
	server := llmtest.New(t, llmtest.Config{Respond: func(r *llmtest.Request) *llmtest.Answer {
		calls.Store(r.Prompt(), true)
		if asked.Add(1) == killAt.Load() {
			reached <- struct{}{}
		}
		return nil
	}})
	inTempDir(t, map[string]string{"in.jsonl": requests(count)})
	args := at(server, "run", "in.jsonl", "-o", "out.jsonl", "-c", "16")

	onDisk := map[string]bool{}
	requireNoneAskedAgain := func() {
		t.Helper()
		calls.Range(func(prompt, _ any) bool {
			require.False(t, onDisk[prompt.(string)], "%s is on disk and was asked again", prompt)
			return true
		})
		calls.Clear()
	}
	for kill := range kills {
		asked.Store(0)
		killAt.Store(1 + rand.Int64N(int64(2*count/kills/3)))
		cmd := program(t, args...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		require.NoError(t, cmd.Start())
		<-reached
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait()
		requireNoneAskedAgain()
		onDisk = prompts(t)
		t.Logf("kill %d after %d calls: %d on disk", kill+1, asked.Load(), len(onDisk))
	}

	got := gluepipe(t, "", nil, args...)
	require.Equal(t, exitOK, got.code, got.stderr)
	requireNoneAskedAgain()
	all := results(t, read(t, "out.jsonl"))
	require.Len(t, all, count)
	require.Len(t, prompts(t), count)
}

// prompts returns those whose records are whole, as the next run must see them.
func prompts(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	text, err := os.ReadFile("out.jsonl")
	if os.IsNotExist(err) {
		return found
	}
	require.NoError(t, err)
	whole := string(text[:bytes.LastIndexByte(text, '\n')+1])
	for _, r := range results(t, whole) {
		require.True(t, r.Success)
		require.Equal(t, "prompt "+strings.TrimPrefix(r.ID, "r"), r.Response)
		require.Equal(t, "r"+strconv.FormatInt(r.Index+1, 10), r.ID)
		found[r.Response] = true
	}
	return found
}
