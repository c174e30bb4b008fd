//go:build aimock

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// runBatch has the program, as a process, do a batch file, and returns the lines of its output and what it said.
func (a aimock) runBatch(t *testing.T, wantCode int, flags ...string) (map[string]batchLine, string) {
	t.Helper()
	args := append([]string{
		"run", "-i", "batch.jsonl", "-o", "out.jsonl", "--model", "openai:gpt-4o-mini", "--base-url", a.url + "/v1",
		"--progress", "none", "-c", "32",
	}, flags...)
	cmd := program(t, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	_ = cmd.Run()
	require.Equal(t, wantCode, cmd.ProcessState.ExitCode(), stderr.String())
	return batchLines(t, read(t, "out.jsonl")), stderr.String()
}

// batchKinds are the lines of a batch file that a foreign server is given, in turn, and what must stand in their answers.
var batchKinds = []struct {
	url, body string
	check     func(t *testing.T, line batchLine)
}{
	{
		"/v1/chat/completions", `{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "prompt %d"}], "temperature": 0}`,
		func(t *testing.T, line batchLine) {
			t.Helper()
			require.Equal(t, "A foreign answer.", answerOf(t, line).Content)
		},
	},
	{
		"/v1/chat/completions", withTool("please calculate", "calculate"),
		func(t *testing.T, line batchLine) {
			t.Helper()
			answer := answerOf(t, line)
			require.Equal(t, "The tool has answered.", answer.Content)
			require.Empty(t, answer.ToolCalls, "the run knows this tool")
		},
	},
	{
		"/v1/chat/completions", withTool("elsewhere", "elsewhere"),
		func(t *testing.T, line batchLine) {
			t.Helper()
			answer := answerOf(t, line)
			require.Len(t, answer.ToolCalls, 1, "nobody here knows this tool")
			require.Equal(t, "elsewhere", answer.ToolCalls[0].Function.Name)
			require.JSONEq(t, `{"expression": "1 + 1"}`, answer.ToolCalls[0].Function.Arguments)
		},
	},
	{
		"/v1/embeddings", `{"model": "text-embedding-3-small", "input": ["text %d", "another"], "dimensions": 8}`,
		func(t *testing.T, line batchLine) {
			t.Helper()
			var body struct {
				Data []struct{ Embedding []float64 }
			}
			require.NoError(t, json.Unmarshal(line.Response.Body, &body))
			require.Len(t, body.Data, 2)
			require.Len(t, body.Data[1].Embedding, 8)
		},
	},
}

func withTool(prompt, tool string) string {
	return `{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "` + prompt + ` %d"}], "tools": [{"type": "function", ` +
		`"function": {"name": "` + tool + `", "parameters": {"type": "object", "properties": {"expression": {"type": "string"}}}}}]}`
}

type foreignAnswer struct {
	Content   string
	ToolCalls []struct {
		Function struct{ Name, Arguments string }
	} `json:"tool_calls"`
}

func answerOf(t *testing.T, line batchLine) foreignAnswer {
	t.Helper()
	var body struct {
		Choices []struct{ Message foreignAnswer }
	}
	require.NoError(t, json.Unmarshal(line.Response.Body, &body))
	require.Len(t, body.Choices, 1)
	return body.Choices[0].Message
}

func TestABatchFileWithToolsAndEmbeddingsRunsThroughAForeignServer(t *testing.T) {
	server := newAimock(t)
	count := 5000
	if long() {
		count = 50_000
	}
	inTempDir(t, nil)
	var in strings.Builder
	for i := range count {
		kind := batchKinds[i%len(batchKinds)]
		fmt.Fprintf(&in, `{"custom_id": "line-%d", "method": "POST", "url": %q, "body": `+kind.body+"}\n", i, kind.url, i)
	}
	require.NoError(t, os.WriteFile("batch.jsonl", []byte(in.String()), 0o600))
	lines, said := server.runBatch(t, exitOK, "--tools", "calculate")
	require.Len(t, lines, count, said)
	for i := range count {
		line := lines[fmt.Sprintf("line-%d", i)]
		require.NotNil(t, line.Response, "line-%d", i)
		require.Equal(t, 200, line.Response.StatusCode)
		require.Nil(t, line.Error)
		batchKinds[i%len(batchKinds)].check(t, line)
	}
}

func TestFailuresOfABatchAtAForeignServerAreDoneAgain(t *testing.T) {
	server := newAimock(t)
	inTempDir(t, map[string]string{"batch.jsonl": chatLine("good", `{"messages": [{"role": "user", "content": "prompt"}]}`) +
		chatLine("bad", `{"messages": [{"role": "user", "content": "nobody knows this one"}]}`)})
	lines, _ := server.runBatch(t, exitFailures)
	good, bad := lines["good"], lines["bad"]
	require.Equal(t, 200, good.Response.StatusCode)
	require.GreaterOrEqual(t, bad.Response.StatusCode, 400)
	require.Contains(t, string(bad.Response.Body), `"error"`)
	seen := server.seen(t, "")
	lines, _ = server.runBatch(t, exitFailures, "--rerun-failed")
	require.Equal(t, good, lines["good"])
	require.Equal(t, seen+1, server.seen(t, ""))
}
