package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

// disturber is a server in whose 100th request somebody disturbs the run.
type disturber struct {
	disturb func()
	calls   atomic.Int64
	asked   sync.Map // the prompts, since it was cleared
}

func (d *disturber) respond(r *llmtest.Request) *llmtest.Answer {
	d.asked.Store(r.Prompt(), true)
	if d.calls.Add(1) == 100 {
		d.disturb()
	}
	return nil
}

func TestWhoTakesTheOutputAwayIsToldAndTheSameCommandGoesOn(t *testing.T) {
	for name, disturb := range map[string]func() error{
		"removed": func() error { return os.Remove("out.jsonl") },
		"renamed": func() error { return os.Rename("out.jsonl", "moved.jsonl") },
	} {
		t.Run(name, func(t *testing.T) {
			d := &disturber{disturb: func() { require.NoError(t, disturb()) }}
			server := llmtest.New(t, llmtest.Config{Respond: d.respond})
			inTempDir(t, map[string]string{"in.jsonl": requests(1000)})
			args := at(server, "run", "in.jsonl", "-o", "out.jsonl", "--response", "response.json")
			got := gluepipe(t, "", nil, args...)
			require.Equal(t, exitBroken, got.code, got.stderr)
			require.True(t, strings.HasSuffix(got.stderr, "\ngluepipe: out.jsonl: it was removed or renamed during the run; "+
				"its results are back in place: run the same again to do the rest\n"), got.stderr)
			require.Contains(t, got.stderr, "\ncontinue with:  gluepipe run in.jsonl -o out.jsonl ")
			first := results(t, read(t, "out.jsonl"))
			require.GreaterOrEqual(t, len(first), 50, "what was there when it was taken away")
			require.Contains(t, got.stderr, "\nsuccessful           "+commas(len(first))+"\n", "the summary counts what the file has")
			require.Contains(t, read(t, "response.json"), `"successful_requests":`+commas(len(first))+",")

			d.asked.Clear()
			require.Equal(t, exitOK, gluepipe(t, "", nil, args...).code)
			for _, r := range first {
				_, again := d.asked.Load("prompt " + strings.TrimPrefix(r.ID, "r"))
				require.False(t, again, "%s is in the file, and was asked again", r.ID)
			}
			requireEachOnce(t, 1000, "out.jsonl")
		})
	}
}

func TestAFileThatTookTheOutputsPlaceIsLeftAsItIs(t *testing.T) {
	d := &disturber{disturb: func() {
		require.NoError(t, os.WriteFile("diary", []byte("Dear diary\n"), 0o600))
		require.NoError(t, os.Rename("diary", "out.jsonl"))
	}}
	server := llmtest.New(t, llmtest.Config{Respond: d.respond})
	inTempDir(t, map[string]string{"in.jsonl": requests(1000)})
	args := at(server, "run", "in.jsonl", "-o", "out.jsonl", "--response", "response.json")
	got := gluepipe(t, "", nil, args...)
	require.Equal(t, exitBroken, got.code, got.stderr)
	require.Equal(t, "Dear diary\n", read(t, "out.jsonl"))
	kept, err := filepath.Glob("out.jsonl.kept-*")
	require.NoError(t, err)
	require.Len(t, kept, 1)
	require.True(t, strings.HasSuffix(got.stderr, "\ngluepipe: out.jsonl: another file took its place during the run; "+
		"its results are kept in "+kept[0]+": move that file to out.jsonl and run the same again\n"), got.stderr)
	require.Contains(t, got.stderr, "\nresults: "+kept[0]+"\n")
	first := results(t, read(t, kept[0]))
	require.Contains(t, read(t, "response.json"), `"successful_requests":`+commas(len(first))+",", "of what is kept")

	require.NoError(t, os.Rename(kept[0], "out.jsonl"))
	require.Equal(t, exitOK, gluepipe(t, "", nil, args...).code)
	requireEachOnce(t, 1000, "out.jsonl")
}

func TestWhoCutsTheOutputIsToldAndTheSameCommandDoesWhatWasLost(t *testing.T) {
	d := &disturber{disturb: func() { require.NoError(t, os.Truncate("out.jsonl", 300)) }}
	server := llmtest.New(t, llmtest.Config{Respond: d.respond})
	inTempDir(t, map[string]string{"in.jsonl": requests(1000)})
	args := at(server, "run", "in.jsonl", "-o", "out.jsonl")
	got := gluepipe(t, "", nil, args...)
	require.Equal(t, exitBroken, got.code, got.stderr)
	require.Regexp(t, `\ngluepipe: out\.jsonl: another program has cut it from \d+ to 300 bytes: run the same again to do what was lost; `+
		`the last results are kept in out\.jsonl\.kept-\d+\n$`, got.stderr)
	require.Equal(t, exitOK, gluepipe(t, "", nil, args...).code)
	requireEachOnce(t, 1000, "out.jsonl")
}

// requireEachOnce requires that the files have one record for each of n requests.
func requireEachOnce(t *testing.T, n int, paths ...string) {
	t.Helper()
	seen := map[string]bool{}
	for _, path := range paths {
		for _, r := range results(t, read(t, path)) {
			require.False(t, seen[r.ID], "%s is there twice", r.ID)
			seen[r.ID] = true
		}
	}
	require.Len(t, seen, n)
}

func TestResultsAreForTheUserAloneWhereAKeyFileIs(t *testing.T) {
	server := llmtest.New(t, llmtest.Config{Respond: func(r *llmtest.Request) *llmtest.Answer {
		if r.Prompt() == "prompt 2" {
			return llmtest.Error(http.StatusBadRequest, "bad", "no")
		}
		return nil
	}})
	files := []string{"out.jsonl", "bad.jsonl", "response.json"}
	requireModes := func(t *testing.T, want os.FileMode) {
		t.Helper()
		for _, name := range files {
			info, err := os.Stat(name)
			require.NoError(t, err)
			require.Equal(t, want, info.Mode(), name)
		}
	}
	inTempDir(t, map[string]string{"in.jsonl": requests(3), "keys": "sk-1\n"})
	args := at(server, "run", "in.jsonl", "-o", files[0], "--errors", files[1], "--response", files[2], "--api-key-file", "keys")
	require.Equal(t, exitFailures, gluepipe(t, "", nil, args...).code)
	requireModes(t, 0o600)
	for _, name := range files {
		require.NoError(t, os.Chmod(name, 0o644))
	}
	require.Equal(t, exitFailures, gluepipe(t, "", nil, append(args, "--rerun-failed")...).code)
	requireModes(t, 0o644)
}

func TestTwoRunsCannotShareAnyFileTheyWrite(t *testing.T) {
	for _, flag := range []string{"--errors", "--response"} {
		t.Run(flag, func(t *testing.T) {
			g := newGate()
			server := llmtest.New(t, llmtest.Config{Respond: g.respond})
			inTempDir(t, map[string]string{"in.jsonl": requests(2)})
			cmd := program(t, at(server, "run", "in.jsonl", "-o", "one.jsonl", flag, "shared")...)
			require.NoError(t, cmd.Start())
			<-g.arrived
			second := at(server, "run", "in.jsonl", "-o", "two.jsonl", flag, "shared")
			got := gluepipe(t, "", nil, second...)
			require.Equal(t, exitBroken, got.code)
			require.Regexp(t, `^gluepipe: (--response: )?shared: another run is writing it: wait for its end, or choose another output\n$`,
				got.stderr)
			require.NoFileExists(t, "two.jsonl")

			require.NoError(t, cmd.Process.Kill())
			_ = cmd.Wait()
			close(g.open)
			require.Equal(t, exitOK, gluepipe(t, "", nil, second...).code)
			left, err := filepath.Glob("*.tmp")
			require.NoError(t, err)
			require.Empty(t, left)
		})
	}
}

func TestResultsAreFlushedAsTheFlagSays(t *testing.T) {
	inTempDir(t, map[string]string{"in.jsonl": requests(50)})
	for _, policy := range []string{"interval", "always", "never"} {
		got := gluepipe(t, "", nil, "run", "in.jsonl", "-o", policy, "--fsync", policy, "--model", "mock:echo")
		require.Equal(t, exitOK, got.code, got.stderr)
		requireEachOnce(t, 50, policy)
	}
	got := gluepipe(t, "", nil, "run", "in.jsonl", "-o", "out", "--fsync", "sometimes", "--model", "mock:echo")
	require.Equal(t, exitUsage, got.code)
	require.Contains(t, got.stderr, "--fsync")
}
