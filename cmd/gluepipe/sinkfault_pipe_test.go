package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

func TestAFullDeviceOnStandardOutputBreaksTheRun(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("no /dev/full here")
	}
	defer full.Close()
	inTempDir(t, map[string]string{"in.jsonl": requests(3)})
	cmd := program(t, "run", "in.jsonl", "--model", "mock:echo", "--progress", "none")
	code, stderr := outcomeOf(t, cmd, full)
	require.Equal(t, exitBroken, code, stderr)
	require.Contains(t, stderr, "\nnothing to continue: the results went to standard output; with -o FILE a run can be continued\n")
	require.True(t, strings.HasSuffix(stderr, "\ngluepipe: writing results: write /dev/stdout: no space left on device\n"), stderr)
}

// outcomeOf runs the program and returns its exit code and what it told.
func outcomeOf(t *testing.T, cmd *exec.Cmd, stdout io.Writer) (code int, stderr string) {
	t.Helper()
	var told bytes.Buffer
	cmd.Stdout, cmd.Stderr = stdout, &told
	if err := cmd.Run(); cmd.ProcessState == nil {
		require.NoError(t, err)
	}
	return cmd.ProcessState.ExitCode(), told.String()
}

func fifo(t *testing.T, name string) {
	t.Helper()
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Skip("no named pipes here")
	}
}

func TestANamedPipeWhoseReaderEndsBreaksTheRun(t *testing.T) {
	inTempDir(t, map[string]string{"in.jsonl": requests(3000)})
	fifo(t, "pipe")
	var reading sync.WaitGroup
	reading.Go(func() {
		if reader, err := os.Open("pipe"); err == nil {
			_, _ = bufio.NewReader(reader).ReadString('\n')
			reader.Close()
		}
	})
	code, stderr := outcomeOf(t, program(t, "run", "in.jsonl", "-o", "pipe", "--model", "mock:echo", "--progress", "none"), nil)
	reading.Wait()
	require.Equal(t, exitBroken, code, stderr)
	require.Contains(t, stderr, "\nnothing to continue: the results went to pipe; with -o FILE a run can be continued\n")
	require.True(t, strings.HasSuffix(stderr, "\ngluepipe: writing results: write pipe: broken pipe: "+
		"its reader ended before all results were written; a file would keep them\n"), stderr)
}

func TestAResponseOfResultsThatWentIntoAPipeIsMadeOfACopy(t *testing.T) {
	inTempDir(t, map[string]string{"in.jsonl": requests(20)})
	fifo(t, "pipe")
	var reading sync.WaitGroup
	var piped []byte
	reading.Go(func() { piped, _ = os.ReadFile("pipe") })
	got := gluepipe(t, "", nil, "run", "in.jsonl", "-o", "pipe", "--response", "response.json", "--model", "mock:echo")
	reading.Wait()
	require.Equal(t, exitOK, got.code, got.stderr)
	require.Len(t, results(t, string(piped)), 20)
	require.Contains(t, read(t, "response.json"), `"successful_requests":20,`)
}

func TestRequestsAreNotSentFasterThanStandardOutputIsRead(t *testing.T) {
	const count, pending = 500, 16
	server := llmtest.New(t, llmtest.Config{})
	inTempDir(t, map[string]string{"in.jsonl": requests(count)})
	reader, writer := io.Pipe()
	var running sync.WaitGroup
	var code int
	running.Go(func() {
		defer writer.Close()
		args := at(server, "run", "in.jsonl", "--max-pending", "16", "-c", "8")
		nothing := func(string) (string, bool) { return "", false }
		code = run(context.Background(), args, stdio{strings.NewReader(""), writer, io.Discard}, nothing)
	})
	lines := bufio.NewReaderSize(reader, 16) // a large one would read ahead
	read := 0
	for ; ; read++ {
		if _, err := lines.ReadSlice('\n'); err == io.EOF {
			break
		} else if err == bufio.ErrBufferFull {
			read--
			continue
		}
		require.LessOrEqual(t, server.Stats().Requests, read+1+pending, "requests are sent whose results nobody takes")
	}
	running.Wait()
	require.Equal(t, exitOK, code)
	require.Equal(t, count, read)
}
