package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

// worstServer answers with faults of many kinds, until it is mended, and tells when it has been asked a given number of
// times. Of the prompts it remembers those that were asked since the last look.
type worstServer struct {
	mended  atomic.Bool
	burst   atomic.Int64 // calls that still meet the rate limit
	asked   sync.Map
	left    atomic.Int64
	reached chan struct{}
}

func (w *worstServer) respond(r *llmtest.Request) *llmtest.Answer {
	w.asked.Store(r.Prompt(), true)
	if w.left.Add(-1) == 0 {
		w.reached <- struct{}{}
	}
	if w.mended.Load() {
		return nil
	}
	if w.burst.Add(-1) >= 0 {
		return llmtest.RateLimited(10 * time.Millisecond)
	}
	switch n := rand.IntN(1000); {
	case n < 60:
		return llmtest.Error(http.StatusServiceUnavailable, "", "down")
	case n < 90:
		return &llmtest.Answer{Content: r.Prompt(), Fault: llmtest.Reset}
	case n < 120:
		return &llmtest.Answer{Content: r.Prompt(), Fault: llmtest.Truncate}
	case n < 140:
		return &llmtest.Answer{Fault: llmtest.EmptyBody}
	case n < 170:
		return llmtest.Error(http.StatusBadRequest, "bad", "no retry helps")
	case n < 172:
		w.burst.Store(20)
		return llmtest.RateLimited(10 * time.Millisecond)
	}
	return nil
}

// after sets when reached is told: once so many more calls have come.
func (w *worstServer) after(calls int) {
	w.asked.Clear()
	select {
	case <-w.reached:
	default:
	}
	w.left.Store(int64(calls))
}

// records are the whole lines of an output, by the id of their request.
type records map[string]*batch.Result

// readRecords fails the test at a line that is no result, and at a second one for a request.
func readRecords(t *testing.T, path string) records {
	t.Helper()
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil
	}
	require.NoError(t, err)
	all := records{}
	for _, r := range results(t, string(text[:bytes.LastIndexByte(text, '\n')+1])) { // a torn last line is the next run's to cut
		require.Nil(t, all[r.ID], "two records of %s", r.ID)
		all[r.ID] = r
		if r.Success {
			require.Equal(t, "prompt "+strings.TrimPrefix(r.ID, "r"), r.Response)
		} else {
			require.NotEmpty(t, r.Error, r.ID)
			require.False(t, r.Unfinished(), r.ID)
		}
	}
	return all
}

func TestNothingIsLostOrDoubledHoweverOftenARunIsKilled(t *testing.T) {
	count, rounds := 1500, 6
	if long() {
		count, rounds = 12_000, 50
	}
	worst := &worstServer{reached: make(chan struct{}, 1)}
	server := llmtest.New(t, llmtest.Config{Respond: worst.respond})
	inTempDir(t, map[string]string{"in.jsonl": requests(count)})
	args := at(server, "run", "in.jsonl", "-o", "out.jsonl", "-c", "16", "--max-attempts", "3")

	var before records
	for round := range rounds {
		signal := [...]os.Signal{os.Kill, syscall.SIGTERM, os.Kill, os.Interrupt}[round%4]
		rerun := round%5 == 4
		worst.after(1 + rand.IntN(2*count/rounds/3))
		code, stderr := signalled(t, worst.reached, signal, args, rerun)
		if signal != os.Kill {
			require.Contains(t, []int{exitInterrupted, exitOK, exitFailures}, code, stderr)
		}
		after := readRecords(t, "out.jsonl")
		for id, r := range before {
			kept, ok := after[id]
			if rerun && !r.Success { // it is done again, now or in a later round
				continue
			}
			require.True(t, ok, "round %d lost the record of %s", round, id)
			require.Equal(t, r, kept)
			_, again := worst.asked.Load("prompt " + strings.TrimPrefix(id, "r"))
			require.False(t, again, "round %d asked again for %s, which was on disk", round, id)
		}
		before = after
		if signal == os.Kill && rand.IntN(2) == 0 {
			tear(t, "out.jsonl")
			before = readRecords(t, "out.jsonl")
		}
		t.Logf("round %d: %v, rerun %v: exit code %d, %d on disk", round, signal, rerun, code, len(after))
	}

	worst.mended.Store(true)
	worst.after(0)
	got := gluepipe(t, "", nil, append(args, "--rerun-failed")...)
	require.Equal(t, exitOK, got.code, got.stderr)
	all := readRecords(t, "out.jsonl")
	for i := range count {
		r := all[fmt.Sprintf("r%d", i+1)]
		require.NotNil(t, r, "r%d is lost", i+1)
		require.True(t, r.Success, r.ID)
	}
	require.Equal(t, count, strings.Count(read(t, "out.jsonl"), "\n"), "lines")
}

// tear cuts a file's last bytes off, as a machine does that dies before all has reached its disk.
func tear(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil || info.Size() == 0 {
		return
	}
	require.NoError(t, os.Truncate(path, info.Size()-1-rand.Int64N(min(info.Size(), 300))))
}

// signalled runs the program and sends it a signal once reached says so. It returns how it ended.
func signalled(t *testing.T, reached <-chan struct{}, signal os.Signal, args []string, rerun bool) (int, string) {
	t.Helper()
	if rerun {
		args = append(slices.Clip(args), "--rerun-failed")
	}
	cmd := program(t, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	require.NoError(t, cmd.Start())
	ended := waitFor(cmd)
	select {
	case <-reached:
		require.NoError(t, cmd.Process.Signal(signal))
		<-ended
	case <-ended: // all was done before
	}
	return cmd.ProcessState.ExitCode(), stderr.String()
}

// waitFor returns a channel that is closed when the process has ended.
func waitFor(cmd *exec.Cmd) <-chan struct{} {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	return ended
}
