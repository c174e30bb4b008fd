package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

func TestTheFirstSignalTellsWhatIsWaitedFor(t *testing.T) {
	require.Equal(t, "interrupted: finishing 3 requests in flight; press Ctrl-C again to cancel them",
		finishing(syscall.SIGINT, 3, time.Minute))
	require.Equal(t, "terminated: finishing what is in flight, for at most 30s", finishing(syscall.SIGTERM, 0, 30*time.Second))
	require.Equal(t, "terminated: no time to finish 3 requests in flight, since --grace is 0", finishing(syscall.SIGTERM, 3, 0))
}

func TestSignalsEndARunStepByStep(t *testing.T) {
	const (
		interrupt = syscall.SIGINT
		terminate = syscall.SIGTERM
		hangup    = syscall.SIGHUP
	)
	// Signals come 1 second apart. The grace is 30.
	for name, test := range map[string]struct {
		signals []os.Signal
		want    []string
	}{
		"one Ctrl-C only drains":             {[]os.Signal{interrupt}, []string{"0s drain interrupt"}},
		"the second cancels":                 {[]os.Signal{interrupt, interrupt}, []string{"0s drain interrupt", "1s cancel", "33s give up"}},
		"the third gives up":                 {[]os.Signal{interrupt, interrupt, interrupt}, []string{"0s drain interrupt", "1s cancel", "2s give up"}},
		"a termination cancels by itself":    {[]os.Signal{terminate}, []string{"0s drain terminated", "30s cancel", "1m2s give up"}},
		"a hangup cancels by itself":         {[]os.Signal{hangup}, []string{"0s drain hangup", "30s cancel", "1m2s give up"}},
		"a second hangup says nothing new":   {[]os.Signal{hangup, hangup, terminate}, []string{"0s drain hangup", "30s cancel", "1m2s give up"}},
		"Ctrl-C hastens a termination":       {[]os.Signal{terminate, interrupt}, []string{"0s drain terminated", "1s cancel", "33s give up"}},
		"a termination bounds what drains":   {[]os.Signal{interrupt, terminate}, []string{"0s drain interrupt", "31s cancel", "1m3s give up"}},
		"a hangup doesn't hasten the ending": {[]os.Signal{interrupt, interrupt, hangup}, []string{"0s drain interrupt", "1s cancel", "33s give up"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				var got []string
				did := func(what string) { got = append(got, time.Since(begin).String()+" "+what) }
				signals, done := make(chan os.Signal), make(chan struct{})
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					shutdown{
						grace:  30 * time.Second,
						drain:  func(first os.Signal) { did("drain " + first.String()) },
						cancel: func(string) { did("cancel") },
						giveUp: func(string) { did("give up") },
					}.watch(signals, done)
				}()
				for i, s := range test.signals {
					if i > 0 {
						time.Sleep(time.Second)
					}
					signals <- s
				}
				time.Sleep(time.Hour)
				close(done)
				<-ended
				require.Equal(t, test.want, got)
			})
		})
	}
}

// ended waits for a process and returns its exit code.
func ended(t *testing.T, cmd *exec.Cmd) int {
	t.Helper()
	err := cmd.Wait()
	if _, failed := errors.AsType[*exec.ExitError](err); !failed {
		require.NoError(t, err)
	}
	return cmd.ProcessState.ExitCode()
}

func TestATerminationCancelsWhatIsInFlightWhenTheGraceIsOver(t *testing.T) {
	g := newGate()
	server := llmtest.New(t, llmtest.Config{Respond: g.respond})
	inTempDir(t, map[string]string{"in.jsonl": requests(20)})
	cmd := program(t, at(server, "run", "in.jsonl", "-o", "out.jsonl", "--grace", "0.1")...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	require.NoError(t, cmd.Start())
	<-g.arrived
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.Equal(t, exitInterrupted, ended(t, cmd))
	require.Contains(t, stderr.String(), "\nnot finished within 100ms: cancelling what is in flight\n")
	require.Contains(t, stderr.String(), "\ncontinue with:  gluepipe run in.jsonl -o out.jsonl ")
	require.Empty(t, read(t, "out.jsonl"))
}

func TestARunThatCantEndIsGivenUp(t *testing.T) {
	g := newGate()
	server := llmtest.New(t, llmtest.Config{Respond: g.respond})
	inTempDir(t, nil)
	large := `{"user_message": "` + strings.Repeat("more than a pipe holds ", 10_000) + `"}`
	cmd := program(t, at(server, "run", "-", "--grace", "0.05")...)
	cmd.Stdin = strings.NewReader(large)
	hardlyRead, stdout, err := os.Pipe()
	require.NoError(t, err)
	defer hardlyRead.Close()
	defer stdout.Close()
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = stdout, &stderr
	require.NoError(t, cmd.Start())
	<-g.arrived
	close(g.open)
	_, err = hardlyRead.Read(make([]byte, 1))
	require.NoError(t, err, "it is writing now")
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.Equal(t, exitInterrupted, ended(t, cmd))
	require.Contains(t, stderr.String(), "\ncancelled, and not ended within 2.05s: giving up; what is written stays\n"+
		"nothing to continue: the results went to standard output; with -o FILE a run can be continued\n")
}

func TestAStandardErrorThatTakesNothingMoreKeepsNoSignalFromBeingHeard(t *testing.T) {
	g := newGate()
	server := llmtest.New(t, llmtest.Config{Respond: g.respond})
	inTempDir(t, map[string]string{"in.jsonl": requests(20)})
	cmd := program(t, at(server, "run", "in.jsonl", "-o", "out.jsonl", "-c", "4", "--grace", "0.05")...)
	neverRead, stderr, err := os.Pipe()
	require.NoError(t, err)
	defer neverRead.Close()
	defer stderr.Close()
	fill(t, stderr)
	cmd.Stderr = stderr
	require.NoError(t, cmd.Start())
	for range 4 {
		<-g.arrived
	}
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.Equal(t, exitInterrupted, ended(t, cmd))
}

// fill writes to a pipe until it takes nothing more.
func fill(t *testing.T, pipe *os.File) {
	t.Helper()
	raw, err := pipe.SyscallConn()
	require.NoError(t, err)
	var full error
	require.NoError(t, raw.Write(func(fd uintptr) bool {
		for full == nil {
			_, full = syscall.Write(int(fd), make([]byte, 512))
		}
		return true
	}))
	require.ErrorIs(t, full, syscall.EAGAIN)
}

func TestSignalsIgnoredAtTheStartStayIgnored(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("needs sh")
	}
	for name, signal := range map[string]os.Signal{"HUP": syscall.SIGHUP, "INT": os.Interrupt} {
		t.Run(name, func(t *testing.T) {
			g := newGate()
			server := llmtest.New(t, llmtest.Config{Respond: g.respond})
			inTempDir(t, map[string]string{"in.jsonl": requests(20)})
			cmd := program(t, at(server, "run", "in.jsonl", "-o", "out.jsonl")...)
			cmd.Args = append([]string{"sh", "-c", `trap "" ` + name + `; exec "$@"`, "sh", cmd.Path}, cmd.Args[1:]...)
			cmd.Path = sh
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			require.NoError(t, cmd.Start())
			<-g.arrived
			require.NoError(t, cmd.Process.Signal(signal))
			close(g.open)
			require.Equal(t, exitOK, ended(t, cmd), stderr.String())
			require.Len(t, results(t, read(t, "out.jsonl")), 20)
		})
	}
}

func TestAReaderOfStandardErrorThatDiesFailsNothing(t *testing.T) {
	server := llmtest.New(t, llmtest.Config{})
	bad := "{\"user_message\": 1}\n"
	inTempDir(t, map[string]string{"in.jsonl": requests(200) + bad})
	for name, flags := range map[string][]string{
		"plain": {"--progress", "plain"}, "logs": {"--log-level", "debug", "--log-format", "json"}, "bar": {"--progress", "bar"},
	} {
		t.Run(name, func(t *testing.T) {
			out := name + ".jsonl"
			cmd := program(t, append(at(server, "run", "in.jsonl", "-o", out), flags...)...)
			reader, writer, err := os.Pipe()
			require.NoError(t, err)
			require.NoError(t, reader.Close())
			cmd.Stdout, cmd.Stderr = writer, writer // as by 2>&1 | head -1
			require.NoError(t, cmd.Start())
			require.NoError(t, writer.Close())
			require.Equal(t, exitFailures, ended(t, cmd)) // the bad line's
			require.Len(t, results(t, read(t, out)), 201)
		})
	}
}

func TestAClosedStandardErrorWritesIntoNoFile(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("needs sh")
	}
	server := llmtest.New(t, llmtest.Config{})
	inTempDir(t, map[string]string{"in.jsonl": requests(3)})
	cmd := program(t, at(server, "run", "in.jsonl", "-o", "out.jsonl")...)
	cmd.Args = append([]string{"sh", "-c", `exec "$@" 1>&- 2>&-`, "sh", cmd.Path}, cmd.Args[1:]...)
	cmd.Path = sh
	require.NoError(t, cmd.Start())
	require.Equal(t, exitOK, ended(t, cmd))
	require.Len(t, results(t, read(t, "out.jsonl")), 3)
}

func TestARunThatWasStoppedGoesOn(t *testing.T) {
	g := newGate()
	server := llmtest.New(t, llmtest.Config{Respond: g.respond})
	inTempDir(t, map[string]string{"in.jsonl": requests(20)})
	cmd := program(t, at(server, "run", "in.jsonl", "-o", "out.jsonl", "-c", "4")...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	require.NoError(t, cmd.Start())
	for range 4 {
		<-g.arrived
	}
	require.NoError(t, cmd.Process.Signal(syscall.SIGSTOP))
	var status syscall.WaitStatus
	_, err := syscall.Wait4(cmd.Process.Pid, &status, syscall.WUNTRACED, nil)
	require.NoError(t, err)
	require.True(t, status.Stopped())
	close(g.open) // answers that come meanwhile wait in the machine
	require.NoError(t, cmd.Process.Signal(syscall.SIGCONT))
	require.Equal(t, exitOK, ended(t, cmd), stderr.String())
	require.Len(t, results(t, read(t, "out.jsonl")), 20)
}
