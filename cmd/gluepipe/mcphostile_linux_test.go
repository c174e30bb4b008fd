package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

// hostileConfig is a gluepipe.yaml with hostile tools of every kind: two MCP servers that are programs (one to be broken),
// one that is reached over HTTP, commands and HTTP calls. Their names begin with stdio, mortal, web, command and fetch.
func hostileConfig(t *testing.T, mark string) string {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	server := newHostileHTTP(t)
	config := map[string]any{}
	config["mcp"] = map[string]any{
		"stdio":  map[string]any{"command": []string{self, asHostile, "mcp", mark, "stdio"}},
		"mortal": map[string]any{"command": []string{self, asHostile, "mcp", mark, "mortal"}},
		"web":    map[string]any{"url": server.URL + "/mcp"},
	}
	var custom []any
	for _, fault := range []string{"good", "huge", "garble", "noise", "hang", "crash"} {
		custom = append(custom,
			map[string]any{
				"name": "command_" + fault, "command": []string{self, asHostile, fault, mark},
				"env": map[string]string{"GORACE": "atexit_sleep_ms=0"}, // the race detector waits for a second otherwise
			},
			map[string]any{"name": "fetch_" + fault, "url": server.URL + "/" + fault, "allow_private": true})
	}
	config["custom_tools"] = custom
	text, err := json.Marshal(config) // which is YAML, too
	require.NoError(t, err)
	return string(text)
}

// callWhatIsSaid has the model call the tool that a message of the form "call TOOL" names.
func callWhatIsSaid(r *llmtest.Request) *llmtest.Answer {
	if name, ok := strings.CutPrefix(r.Prompt(), "call "); ok && len(r.ToolResults()) == 0 {
		return llmtest.Call(name, "{}")
	}
	return nil
}

func TestAHostileToolOfAnyKindCostsItsCallAloneAndLittleMemory(t *testing.T) {
	limit := int64(200 << 20)
	if underRaceDetector(t) {
		limit *= 5 // it takes that much memory for itself
	}
	ok := batch.ToolExecution{Result: "ok"}
	fails := func(text string) batch.ToolExecution { return batch.ToolExecution{Result: text, Error: true} }
	cases := map[string]batch.ToolExecution{ // what the history has: a part of the result
		"stdio_good":       ok,
		"stdio_noise":      ok,
		"stdio_liar":       ok,
		"stdio_twice":      ok,
		"stdio_huge":       fails("16777216"),
		"stdio_hugelateid": fails("16777216"),
		"stdio_garble":     {Result: "before "},
		"stdio_wrong":      fails("error: "),
		"mortal_crash":     fails("ended during the call (exit status 2"),
		"web_good":         ok,
		"web_liar":         ok,
		"web_twice":        ok,
		"web_huge":         fails("16777216"),
		"web_hugelateid":   fails("16777216"),
		"web_garble":       {Result: "before "},
		"web_wrong":        fails("error: "),
		"web_crash":        fails("error: "),
		"command_good":     ok,
		"command_noise":    ok,
		"command_huge":     {Result: "[cut: ", ResultBytes: hugeAnswer},
		"command_garble":   {Result: "before "},
		"command_crash":    fails("exit status 2"),
		"fetch_good":       ok,
		"fetch_huge":       {Result: "[cut: "},
		"fetch_garble":     {Result: "before "},
		"fetch_crash":      fails("error: "),
	}
	repeat := 1
	if long() {
		repeat = 5
	}
	dir := inTempDir(t, nil)
	mark := dir + "/mark"
	require.NoError(t, os.WriteFile("gluepipe.yaml", []byte(hostileConfig(t, mark)), 0o600))
	calls := slices.Repeat(slices.Collect(maps.Keys(cases)), repeat)
	var done, peak, process atomic.Int64
	model := llmtest.New(t, llmtest.Config{Respond: func(r *llmtest.Request) *llmtest.Answer {
		if len(r.ToolResults()) > 0 && done.Add(1) == int64(len(calls)) { // the last one: all has been held that ever is
			resident, _ := peakResident(int(process.Load()))
			peak.Store(resident)
		}
		return callWhatIsSaid(r)
	}})
	require.NoError(t, os.WriteFile("in.jsonl", []byte(requestsToCall(calls)), 0o600))
	cmd := program(t, at(model, "run", "in.jsonl", "-o", "out.jsonl", "-c", "8")...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	require.NoError(t, cmd.Start())
	process.Store(int64(cmd.Process.Pid))
	_ = cmd.Wait()

	require.Equal(t, exitOK, cmd.ProcessState.ExitCode(), "%s", &stderr)
	all := results(t, read(t, "out.jsonl"))
	require.Len(t, all, len(calls))
	for _, r := range all {
		name, _, _ := strings.Cut(r.ID, " ")
		require.True(t, r.Success, "%s: %s", name, r.Error)
		require.Len(t, r.ToolExecutionHistory, 1, name)
		got, want := r.ToolExecutionHistory[0], cases[name]
		require.Equal(t, name, got.ToolName)
		require.Contains(t, got.Result, want.Result, name)
		require.Equal(t, want.Error, got.Error, "%s: %.500s", name, got.Result)
		require.True(t, utf8.ValidString(got.Result), name)
		require.LessOrEqual(t, len(got.Result), 300<<10, name)
		if want.ResultBytes > 0 {
			require.Equal(t, want.ResultBytes, got.ResultBytes, name)
		}
	}
	requireNoProcessWith(t, mark)
	t.Logf("%d MiB resident at most", peak.Load()>>20)
	require.Positive(t, peak.Load())
	require.Less(t, peak.Load(), limit, "bytes resident")
	require.Less(t, stderr.Len(), 64<<10, "what the servers say doesn't flood the terminal")
}

func underRaceDetector(t *testing.T) bool {
	t.Helper()
	info, ok := debug.ReadBuildInfo()
	require.True(t, ok)
	return slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// requestsToCall returns a request for each tool, by whose id the tool can be told.
func requestsToCall(tools []string) string {
	var b strings.Builder
	for i, name := range tools {
		fmt.Fprintf(&b, "{\"id\": \"%s %d\", \"user_message\": \"call %[1]s\"}\n", name, i)
	}
	return b.String()
}

func TestAToolThatNeverAnswersIsGivenUp(t *testing.T) {
	calls := []string{"stdio_hang", "web_hang", "command_hang", "fetch_hang", "stdio_good", "web_good", "command_good", "fetch_good"}
	dir := inTempDir(t, map[string]string{"in.jsonl": requestsToCall(calls)})
	mark := dir + "/mark"
	require.NoError(t, os.WriteFile("gluepipe.yaml", []byte(hostileConfig(t, mark)), 0o600))
	model := llmtest.New(t, llmtest.Config{Respond: callWhatIsSaid})
	got := gluepipe(t, "", nil, at(model, "run", "in.jsonl", "-o", "out.jsonl", "--tool-timeout", "3s")...)
	require.Equal(t, exitOK, got.code, got.stderr)
	for _, r := range results(t, read(t, "out.jsonl")) {
		want := "ok"
		if strings.Contains(r.ID, "hang") {
			want = "error: timed out after 3s"
		}
		require.Equal(t, want, r.Response, r.ID)
	}
	requireNoProcessWith(t, mark)
}

func TestAToolOutsideARequestsListIsNotRunWhateverThePromptSays(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	config, err := json.Marshal(map[string]any{"custom_tools": []any{
		map[string]any{"name": "look", "command": []string{self, asHostile, "good"}},
		map[string]any{"name": "touch_file", "command": []string{"touch", "touched"}},
	}})
	require.NoError(t, err)
	inTempDir(t, map[string]string{
		"gluepipe.yaml": string(config),
		"in.jsonl": `{"user_message": "call touch_file", "tools": ["look"]}
{"user_message": "call touch_file", "tools": []}
{"user_message": "call look"}
`,
	})
	model := llmtest.New(t, llmtest.Config{Respond: callWhatIsSaid})
	got := gluepipe(t, "", nil, at(model, "run", "in.jsonl", "-o", "out.jsonl", "--ordered")...)
	require.Equal(t, exitOK, got.code, got.stderr)
	require.NoFileExists(t, "touched")
	all := results(t, read(t, "out.jsonl"))
	for _, r := range all[:2] {
		require.Len(t, r.ToolExecutionHistory, 1)
		require.True(t, r.ToolExecutionHistory[0].Error)
		require.Contains(t, r.ToolExecutionHistory[0].Result, "touch_file")
	}
	require.Equal(t, "ok", all[2].Response)
}

func TestNoServerAndNoCommandOutlivesAKilledRun(t *testing.T) {
	dir := inTempDir(t, map[string]string{"in.jsonl": `{"user_message": "call stdio_hang"}
{"user_message": "call command_hang"}
`})
	mark := dir + "/mark"
	require.NoError(t, os.WriteFile("gluepipe.yaml", []byte(hostileConfig(t, mark)), 0o600))
	model := llmtest.New(t, llmtest.Config{Respond: callWhatIsSaid})
	cmd := program(t, at(model, "run", "in.jsonl", "-o", "out.jsonl", "--tool-timeout", "0")...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	require.NoError(t, cmd.Start())
	require.Eventually(t, func() bool { return len(processesWith(t, mark)) == 3 }, 20*time.Second, 10*time.Millisecond, "two servers and a command")
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	requireNoProcessWith(t, mark)
}
