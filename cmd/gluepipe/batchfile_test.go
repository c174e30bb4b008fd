package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

// batchLine is a line of a batch's output as its makers read it: nothing else may stand in it.
type batchLine struct {
	ID       string         `json:"id"`
	CustomID string         `json:"custom_id"`
	Response *batchResponse `json:"response"`
	Error    *struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

type batchResponse struct {
	StatusCode int             `json:"status_code"`
	RequestID  string          `json:"request_id"`
	Body       json.RawMessage `json:"body"`
}

// batchLines reads the output of a batch, strictly, by custom id.
func batchLines(t *testing.T, text string) map[string]batchLine {
	t.Helper()
	lines := map[string]batchLine{}
	ids := map[string]bool{}
	for record := range strings.Lines(text) {
		dec := json.NewDecoder(strings.NewReader(record))
		dec.DisallowUnknownFields()
		var line batchLine
		require.NoError(t, dec.Decode(&line), record)
		require.True(t, strings.HasPrefix(line.ID, "batch_req_"), record)
		require.False(t, ids[line.ID], "%s is there twice", line.ID)
		_, twice := lines[line.CustomID] // not by NotContains, which walks through all of them
		require.False(t, twice, "%s is there twice", line.CustomID)
		require.True(t, line.Response != nil || line.Error != nil, record)
		for _, member := range []string{`"id":`, `"custom_id":`, `"response":`, `"error":`} {
			require.Contains(t, record, member)
		}
		ids[line.ID], lines[line.CustomID] = true, line
	}
	return lines
}

func chatLine(id, body string) string {
	return fmt.Sprintf(`{"custom_id": %q, "method": "POST", "url": "/v1/chat/completions", "body": %s}`+"\n", id, body)
}

func TestABatchFileRunsAsItIs(t *testing.T) {
	server := llmtest.New(t, llmtest.Config{RecordBodies: true, Respond: func(r *llmtest.Request) *llmtest.Answer {
		if r.Prompt() == "bad" {
			return llmtest.Error(422, "bad", "not this one")
		}
		return nil
	}})
	in := chatLine("one", `{"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello", "name": "Ann"}], "temperature": 0,
		"logprobs": false, "top_k": 3, "chat_template_kwargs": {"thinking": false}, "seed": 7, "x_unknown": [1.50, null]}`)
	in = strings.ReplaceAll(in, ",\n\t\t", ", ")
	in += chatLine("two", `{"messages": [{"role": "user", "content": "bad"}]}`)
	in += chatLine("three", `{"messages": [{"role": "user", "content": "Hi"}], "stream": true}`)
	in += `{"custom_id": "four", "method": "POST", "url": "/v1/embeddings", "body": {"model": "e", "input": ["a", "b"]}}` + "\n"
	in += chatLine("five", `{"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}], "n": 2}`)
	inTempDir(t, map[string]string{"batch.jsonl": in})
	args := at(server, "run", "-i", "batch.jsonl", "-o", "out.jsonl", "-c", "1")
	got := gluepipe(t, "", nil, args...)
	require.Equal(t, exitFailures, got.code, got.stderr)
	lines := batchLines(t, read(t, "out.jsonl"))
	require.Len(t, lines, 5)
	require.Equal(t, 200, lines["one"].Response.StatusCode)
	require.Nil(t, lines["one"].Error)
	require.Contains(t, string(lines["one"].Response.Body), `"Hello"`)
	require.Equal(t, 422, lines["two"].Response.StatusCode)
	require.Contains(t, string(lines["two"].Response.Body), "not this one")
	require.Nil(t, lines["two"].Error)
	require.Nil(t, lines["three"].Response)
	require.Contains(t, lines["three"].Error.Message, `"stream"`)
	require.Contains(t, string(lines["four"].Response.Body), `"embedding"`)
	require.Equal(t, 200, lines["five"].Response.StatusCode)

	var sent map[string]any
	dec := json.NewDecoder(bytes.NewReader(server.Bodies()[0]))
	dec.UseNumber()
	require.NoError(t, dec.Decode(&sent))
	want := `{"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello", "name": "Ann"}], "temperature": 0,
		"logprobs": false, "top_k": 3, "chat_template_kwargs": {"thinking": false}, "seed": 7, "x_unknown": [1.50, null]}`
	require.JSONEq(t, want, string(server.Bodies()[0]))
	require.Contains(t, string(server.Bodies()[0]), "1.50")

	calls := server.Stats().Requests
	again := gluepipe(t, "", nil, args...)
	require.Contains(t, again.stderr, "all requests are done")
	require.Equal(t, calls, server.Stats().Requests)
	rerun := gluepipe(t, "", nil, append(args, "--rerun-failed")...)
	require.Equal(t, exitFailures, rerun.code, rerun.stderr)
	require.Equal(t, calls+1, server.Stats().Requests, "the one that failed at the server")
	require.Len(t, batchLines(t, read(t, "out.jsonl")), 5)
}

func TestFailuresOfABatchCanHaveAFileOfTheirOwn(t *testing.T) {
	server := llmtest.New(t, llmtest.Config{Respond: func(r *llmtest.Request) *llmtest.Answer {
		if r.Prompt() == "cut" {
			return &llmtest.Answer{Content: "half an ans", FinishReason: "length"}
		}
		return nil
	}})
	inTempDir(t, map[string]string{"batch.jsonl": chatLine("good", `{"messages": [{"role": "user", "content": "Hello"}]}`) +
		chatLine("cut", `{"messages": [{"role": "user", "content": "cut"}]}`)})
	got := gluepipe(t, "", nil, at(server, "run", "batch.jsonl", "-o", "out.jsonl", "--errors", "bad.jsonl")...)
	require.Equal(t, exitFailures, got.code, got.stderr)
	require.Contains(t, batchLines(t, read(t, "out.jsonl")), "good")
	bad := batchLines(t, read(t, "bad.jsonl"))["cut"]
	require.Contains(t, string(bad.Response.Body), "half an ans", "what was paid for is kept")
	require.Equal(t, "TruncatedError", bad.Error.Code)
}

func TestTheModelOfABatchIsTheBodysOrTheRuns(t *testing.T) {
	server := llmtest.New(t, llmtest.Config{RecordBodies: true})
	inTempDir(t, map[string]string{"batch.jsonl": chatLine("a", `{"model": "mistral:7b", "messages": [{"role": "user", "content": "a"}]}`) +
		chatLine("b", `{"messages": [{"role": "user", "content": "b"}]}`)})
	for _, test := range []struct {
		flags []string
		want  []string
	}{
		{nil, []string{"mistral:7b", "echo"}},
		{[]string{"--override-model"}, []string{"echo", "echo"}},
	} {
		before := len(server.Bodies())
		got := gluepipe(t, "", nil, at(server, append([]string{"run", "batch.jsonl", "-c", "1"}, test.flags...)...)...)
		require.Equal(t, exitOK, got.code, got.stderr)
		for i, want := range test.want {
			var body struct{ Model string }
			require.NoError(t, json.Unmarshal(server.Bodies()[before+i], &body))
			require.Equal(t, want, body.Model)
		}
	}
}

func TestToolsOfABatchAreExecutedWhereTheRunKnowsThem(t *testing.T) {
	tools := func(name string) string {
		return `[{"type": "function", "function": {"name": "` + name + `", "parameters": {"type": "object",
			"properties": {"expression": {"type": "string"}}, "required": ["expression"]}}}]`
	}
	line := func(id, tool string) string {
		return strings.ReplaceAll(chatLine(id, `{"messages": [{"role": "user", "content": "What is 2 + 3?"}], "tools": `+tools(tool)+`}`),
			"\n\t", " ")
	}
	inTempDir(t, map[string]string{"batch.jsonl": line("known", "calculate") + line("unknown", "elsewhere")})
	got := gluepipe(t, "", nil, "run", "batch.jsonl", "--model", "mock:echo", "--tools", "calculate")
	require.Equal(t, exitOK, got.code, got.stderr)
	lines := batchLines(t, got.stdout)
	require.NotContains(t, string(lines["known"].Response.Body), "tool_calls\":[")
	require.Contains(t, string(lines["known"].Response.Body), "5")
	require.Contains(t, string(lines["unknown"].Response.Body), `"elsewhere"`)
}

func TestABatchComesOutAsWhatIsAskedFor(t *testing.T) {
	inTempDir(t, map[string]string{"batch.jsonl": chatLine("a", `{"messages": [{"role": "user", "content": "Hello"}]}`)})
	got := gluepipe(t, "", nil, "run", "batch.jsonl", "--model", "mock:echo", "--output-format", "jsonl")
	require.Equal(t, "Hello", results(t, got.stdout)[0].Response, got.stderr)
	got = gluepipe(t, "", nil, "run", "batch.jsonl", "--model", "mock:echo", "-o", "out.csv")
	require.Equal(t, exitOK, got.code, got.stderr)
	require.Equal(t, "Hello", table(t, read(t, "out.csv"))[0]["response"])
	require.NoError(t, os.WriteFile("in.jsonl", []byte(requests(2)), 0o600))
	got = gluepipe(t, "", nil, "run", "in.jsonl", "--model", "mock:echo", "--output-format", "openai-batch")
	require.Len(t, batchLines(t, got.stdout), 2, got.stderr)
}

func TestALargeBatchFileIsAcceptedByAStrictReader(t *testing.T) {
	count := 2000
	if long() {
		count = 50_000
	}
	server := llmtest.New(t, llmtest.Config{})
	dir := inTempDir(t, nil)
	var in strings.Builder
	for i := range count {
		in.WriteString(chatLine("request-"+strconv.Itoa(i), `{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "prompt `+
			strconv.Itoa(i)+`"}], "max_tokens": 100}`))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "batch.jsonl"), []byte(in.String()), 0o600))
	got := gluepipe(t, "", nil, at(server, "run", "batch.jsonl", "-o", "out.jsonl", "-c", "64")...)
	require.Equal(t, exitOK, got.code, got.stderr)
	lines := batchLines(t, read(t, "out.jsonl"))
	require.Len(t, lines, count)
	for i := range count {
		line := lines["request-"+strconv.Itoa(i)]
		var body struct {
			Choices []struct{ Message struct{ Content string } }
		}
		require.NoError(t, json.Unmarshal(line.Response.Body, &body))
		require.Equal(t, "prompt "+strconv.Itoa(i), body.Choices[0].Message.Content)
	}
}

func TestASchemaOfTheSettingsIsNotForABatchFile(t *testing.T) {
	server := llmtest.New(t, llmtest.Config{RecordBodies: true})
	inTempDir(t, map[string]string{
		"batch.jsonl": chatLine("a", `{"messages": [{"role": "user", "content": "Hello"}]}`), "schema.json": reviewSchema,
	})
	got := gluepipe(t, "", env{"GLUEPIPE_SCHEMA": "schema.json"}, at(server, "run", "batch.jsonl", "-o", "out.csv")...)
	require.Equal(t, exitOK, got.code, got.stderr)
	require.NotContains(t, string(server.Bodies()[0]), "response_format")
	row := table(t, read(t, "out.csv"))[0]
	require.Equal(t, "Hello", row["response"])
	require.NotContains(t, row, "sentiment")
}
