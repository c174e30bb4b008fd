package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

// results reads a file of results.
func results(t *testing.T, text string) (all []*batch.Result) {
	t.Helper()
	for line := range strings.Lines(text) {
		var r batch.Result
		require.NoError(t, json.Unmarshal([]byte(line), &r), line)
		all = append(all, &r)
	}
	return all
}

func idsOf(all []*batch.Result) (ids []string) {
	for _, r := range all {
		ids = append(ids, r.ID)
	}
	return ids
}

func TestTheFirstCommandOfTheHelpWorks(t *testing.T) {
	inTempDir(t, nil)
	got := gluepipe(t, `{"user_message": "What is 123 * 456?"}`, nil,
		"run", "-", "--model", "mock:echo", "--tools", "calculate")
	require.Equal(t, exitOK, got.code)
	require.Equal(t,
		`{"id":"line-1","index":0,"success":true,"response":"56088","tool_calls_made":1,`+
			`"tool_execution_history":[{"tool_name":"calculate","turn":1,"arguments":{"expression":"123 * 456"},"result":"56088","error":false,`+
			`"elapsed_time":TIME}],"tokens_used":{"prompt":11,"completion":11,"total":22},"elapsed_time":TIME,"model":"echo",`+
			`"finish_reason":"stop","attempts":1,"fingerprint":"v1:HASH"}`+"\n", normal(got.stdout))
	require.Equal(t, `mock:echo answers on this machine (http://127.0.0.1:PORT/v1): no model is called, nothing is billed

requests             1
successful           1
failed               0
tokens               22 (11 prompt, 11 completion)
wall time            TIME
processing time      TIME
concurrency benefit  N.Nx
time per request     p50 TIME, p95 TIME, p99 TIME
`, normal(got.stderr))
}

func TestAnyInputEndsWithAResultALine(t *testing.T) {
	long := `{"user_message": "` + strings.Repeat("x", 20<<20) + `"}`
	input := "\ufeff" + strings.Join([]string{
		`{"id": "one", "user_message": "first"}`,
		``,
		`{"user_message": "third"}`,
		`{"id": "one", "user_message": "again"}`,
		long,
		`{"id": "six"}`,
		`{"id": "seven", "user_message": `,
		`{"user_message": "last"}`,
	}, "\r\n")
	inTempDir(t, map[string]string{"in.jsonl": input})

	got := gluepipe(t, "", nil, "run", "in.jsonl", "-o", "out.jsonl", "--ordered", "--model", "mock:echo")
	require.Equal(t, exitFailures, got.code)
	require.Empty(t, got.stdout)
	var told []string
	for _, r := range results(t, read(t, "out.jsonl")) {
		told = append(told, r.ID+": "+r.Response+r.Error)
	}
	require.Equal(t, []string{
		`one: first`,
		`line-3: third`,
		`line-4: line 4: duplicate id "one"`,
		`line-5: line 5: longer than the allowed 16777216 bytes`,
		`six: line 6: field "user_message" is missing`,
		`line-7: line 7, column 32: unexpected end of JSON input`,
		`line-8: last`,
	}, told)

	again := gluepipe(t, "", nil, "run", "in.jsonl", "-o", "out.jsonl", "--ordered", "--model", "mock:echo")
	require.Equal(t, exitFailures, again.code)
	require.Contains(t, again.stderr, "out.jsonl has 7 records (3 successful, 4 failed); all requests are done\n")
	require.Len(t, results(t, read(t, "out.jsonl")), 7)
}

func TestTheSummaryTellsAllThereIsToTell(t *testing.T) {
	goldenPath := golden(t, "summary")
	server := llmtest.New(t, llmtest.Config{Respond: func(r *llmtest.Request) *llmtest.Answer {
		switch r.Prompt() {
		case "prompt 2":
			return llmtest.Error(http.StatusBadRequest, "bad", "no")
		case "prompt 3", "prompt 4":
			return llmtest.Error(http.StatusInternalServerError, "", "oops")
		}
		return nil
	}})
	inTempDir(t, map[string]string{"the in.jsonl": requests(5) + "{}\n"})
	got := gluepipe(t, "", nil, at(server, "run", "the in.jsonl", "-o", "out.jsonl", "--errors", "bad.jsonl",
		"--response", "response.json", "--overwrite", "--ordered")...)
	require.Equal(t, exitFailures, got.code)
	require.Empty(t, got.stdout)
	requireGolden(t, goldenPath, normal(got.stderr))

	require.ElementsMatch(t, []string{"r1", "r5"}, idsOf(results(t, read(t, "out.jsonl"))))
	require.ElementsMatch(t, []string{"r2", "r3", "r4", "line-6"}, idsOf(results(t, read(t, "bad.jsonl"))))
	var response batch.Response
	require.NoError(t, json.Unmarshal([]byte(read(t, "response.json")), &response))
	require.Equal(t, []string{"r1", "r2", "r3", "r4", "r5", "line-6"}, idsOf(response.Results))
	require.Equal(t, 6, response.TotalRequests)
	require.Equal(t, 4, response.FailedRequests)
	left, err := filepath.Glob("*.tmp")
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestAResponseStandsBesideStandardOutput(t *testing.T) {
	inTempDir(t, nil)
	got := gluepipe(t, requests(3), nil, "run", "-", "--response", "response.json", "--model", "mock:echo", "--ordered")
	require.Equal(t, exitOK, got.code)
	require.Equal(t, []string{"r1", "r2", "r3"}, idsOf(results(t, got.stdout)))
	var response batch.Response
	require.NoError(t, json.Unmarshal([]byte(read(t, "response.json")), &response))
	require.Equal(t, []string{"r1", "r2", "r3"}, idsOf(response.Results))
}

func TestARunIsContinuedAndFailedRequestsAreRerun(t *testing.T) {
	var mended atomic.Bool
	server := llmtest.New(t, llmtest.Config{Respond: func(r *llmtest.Request) *llmtest.Answer {
		if !mended.Load() && (r.Prompt() == "prompt 2" || r.Prompt() == "prompt 4") {
			return llmtest.Error(http.StatusInternalServerError, "", "oops")
		}
		return nil
	}})
	inTempDir(t, map[string]string{"in.jsonl": requests(6)})
	args := at(server, "run", "in.jsonl", "-o", "out.jsonl")

	require.Equal(t, exitFailures, gluepipe(t, "", nil, append(args, "--limit", "4")...).code)
	require.Equal(t, 4, server.Stats().Requests)
	file, err := os.OpenFile("out.jsonl", os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = file.WriteString(`{"id":"r5","index":4,"succ`)
	require.NoError(t, err)
	require.NoError(t, file.Close())

	got := gluepipe(t, "", nil, args...)
	require.Equal(t, exitFailures, got.code)
	require.Equal(t, 6, server.Stats().Requests)
	require.Contains(t, got.stderr, "out.jsonl: the last line had broken off; dropped its 26 bytes\n"+
		"out.jsonl has 4 records (2 successful, 2 failed); continuing with the rest\n")
	require.Contains(t, got.stderr, "\nrequests                6\nsuccessful              4\nfailed                  2\n")
	require.Contains(t, got.stderr, "\ndone in an earlier run  4\n")
	require.Contains(t, got.stderr, "\ndo the failed requests again with:  gluepipe "+strings.Join(args, " ")+" --rerun-failed\n")

	mended.Store(true)
	got = gluepipe(t, "", nil, append(args, "--rerun-failed")...)
	require.Equal(t, exitOK, got.code)
	require.Equal(t, 8, server.Stats().Requests)
	require.Contains(t, got.stderr, "out.jsonl: took out 2 failed records, to be done again\n"+
		"out.jsonl has 4 records (4 successful, 0 failed); continuing with the rest\n")

	got = gluepipe(t, "", nil, args...)
	require.Equal(t, exitOK, got.code)
	require.Equal(t, 8, server.Stats().Requests)
	require.Contains(t, got.stderr, "out.jsonl has 6 records (6 successful, 0 failed); all requests are done\n")

	got = gluepipe(t, requests(7), nil, at(server, "run", "-", "-o", "out.jsonl")...)
	require.Equal(t, exitOK, got.code)
	require.Equal(t, 9, server.Stats().Requests)
	require.ElementsMatch(t, []string{"r1", "r2", "r3", "r4", "r5", "r6", "r7"}, idsOf(results(t, read(t, "out.jsonl"))))

	require.Equal(t, exitOK, gluepipe(t, "", nil, append(args, "--overwrite")...).code)
	require.Equal(t, 15, server.Stats().Requests)
	require.Len(t, results(t, read(t, "out.jsonl")), 6)
}

func TestAnotherRequestOfTheSameIDIsRefusedBeforeTheFirstCall(t *testing.T) {
	server := llmtest.New(t, llmtest.Config{})
	inTempDir(t, map[string]string{"in.jsonl": requests(5)})
	require.Equal(t, exitOK, gluepipe(t, "", nil, at(server, "run", "in.jsonl", "-o", "out.jsonl", "--limit", "3")...).code)
	written, called := read(t, "out.jsonl"), server.Stats().Requests

	// The new requests come first, so that a run which only looked as it went would call.
	changed := `{"id": "new", "user_message": "new"}` + "\n" + strings.Replace(requests(5), "prompt 3", "another", 1)
	require.NoError(t, os.WriteFile("in.jsonl", []byte(changed), 0o600))
	got := gluepipe(t, "", nil, at(server, "run", "in.jsonl", "-o", "out.jsonl")...)
	require.Equal(t, exitBroken, got.code)
	require.Regexp(t, `^gluepipe: line 4: out\.jsonl: request "r3" has changed since its record was written, `+
		`in its model, prompts, tools or params: its fingerprint was v1:[0-9a-f]{32} and is v1:[0-9a-f]{32}; .*\n$`, got.stderr)
	require.Equal(t, called, server.Stats().Requests)
	require.Equal(t, written, read(t, "out.jsonl"))

	got = gluepipe(t, "", nil, at(server, "run", "in.jsonl", "-o", "out.jsonl", "--system-prompt", "Be brief.")...)
	require.Equal(t, exitBroken, got.code)
	require.Equal(t, called, server.Stats().Requests)
}

func TestALineThatWasMendedIsRefusedWithTheWayToDoItAgain(t *testing.T) {
	inTempDir(t, map[string]string{"in.jsonl": "{\"user_message\": \"one\"}\n{\"user_message\": 2}\n"})
	args := []string{"run", "in.jsonl", "-o", "out.jsonl", "--model", "mock:echo"}
	require.Equal(t, exitFailures, gluepipe(t, "", nil, args...).code)
	require.NoError(t, os.WriteFile("in.jsonl", []byte(`{"user_message": "one"}`+"\n"+`{"user_message": "two"}`+"\n"), 0o600))
	got := gluepipe(t, "", nil, args...)
	require.Equal(t, exitBroken, got.code)
	require.Regexp(t, `request "line-2" has changed .*; or do the failed requests again: --rerun-failed\n$`, got.stderr)
	require.Equal(t, exitOK, gluepipe(t, "", nil, append(args, "--rerun-failed")...).code)
	require.Len(t, results(t, read(t, "out.jsonl")), 2)
}

func TestAChangedRequestOnStandardInputIsNotToBeContinued(t *testing.T) {
	inTempDir(t, nil)
	args := []string{"run", "-", "-o", "out.jsonl", "--model", "mock:echo"}
	require.Equal(t, exitOK, gluepipe(t, requests(2), nil, args...).code)
	written := read(t, "out.jsonl")

	got := gluepipe(t, strings.Replace(requests(2), "prompt 1", "another", 1), nil, args...)
	require.Equal(t, exitBroken, got.code)
	require.Contains(t, got.stderr, `line 1: out.jsonl: request "r1" has changed`)
	require.NotContains(t, got.stderr, "continue (give it the same input) with") // it would be refused again
	require.Equal(t, written, read(t, "out.jsonl"))
}

func TestForeignFilesAreNotOverwritten(t *testing.T) {
	inTempDir(t, map[string]string{"in.jsonl": requests(1), "notes.txt": "remember the milk\n"})
	got := gluepipe(t, "", nil, "run", "in.jsonl", "-o", "notes.txt", "--model", "mock:echo")
	require.Equal(t, exitBroken, got.code)
	require.Contains(t, got.stderr, "notes.txt")
	require.Equal(t, "remember the milk\n", read(t, "notes.txt"))
}

func TestTheOutputIsNeverTheInput(t *testing.T) {
	dir := inTempDir(t, map[string]string{"in.jsonl": requests(1)})
	require.NoError(t, os.Symlink("in.jsonl", "link.jsonl"))
	require.NoError(t, os.Link("in.jsonl", "hard.jsonl"))
	for _, output := range []string{"in.jsonl", "./in.jsonl", "link.jsonl", "hard.jsonl", filepath.Join(dir, "in.jsonl")} {
		for _, flag := range []string{"--output", "--errors", "--response"} {
			got := gluepipe(t, "", nil, "run", "in.jsonl", flag, output, "--overwrite", "--model", "mock:echo")
			require.Equal(t, outcome{exitUsage, "", "gluepipe: " + flag + ": the output is the input, in.jsonl; " +
				"choose another file; see 'gluepipe run --help'\n"}, got)
		}
	}
	require.Equal(t, requests(1), read(t, "in.jsonl"))
}

func TestFailFastStopsAtTheFirstFailure(t *testing.T) {
	server := llmtest.New(t, llmtest.Config{Respond: func(r *llmtest.Request) *llmtest.Answer {
		if r.Prompt() == "prompt 5" {
			return llmtest.Error(http.StatusBadRequest, "bad_request", "no such thing")
		}
		return nil
	}})
	inTempDir(t, map[string]string{"in.jsonl": requests(50)})
	got := gluepipe(t, "", nil, at(server, "run", "in.jsonl", "-o", "out.jsonl", "-c", "1", "--error-strategy", "fail_fast")...)
	require.Equal(t, exitBroken, got.code)
	require.Regexp(t, `\ngluepipe: stopped at the first failure: request "r5": 400 Bad Request: no such thing.*\n$`, got.stderr)
	require.Contains(t, got.stderr, "\ncontinue with:  gluepipe run in.jsonl -o out.jsonl -c 1 --error-strategy fail_fast")
	// The next may have its answer already when the failure is seen: it is paid for, and kept.
	written := idsOf(results(t, read(t, "out.jsonl")))
	require.Equal(t, []string{"r1", "r2", "r3", "r4", "r5"}, written[:5])
	require.Less(t, server.Stats().Requests, 10)
}

func TestSkipWritesOnlySuccesses(t *testing.T) {
	inTempDir(t, nil)
	got := gluepipe(t, requests(1)+"{}\n"+requests(3)[len(requests(1)):], nil,
		"run", "-", "--error-strategy", "skip", "--ordered", "--model", "mock:echo")
	require.Equal(t, exitFailures, got.code)
	require.Equal(t, []string{"r1", "r2", "r3"}, idsOf(results(t, got.stdout)))
}

func TestOrderedWritesInTheOrderOfTheInput(t *testing.T) {
	server := llmtest.New(t, llmtest.Config{Latency: 5 * time.Millisecond, Jitter: 1})
	inTempDir(t, nil)
	got := gluepipe(t, requests(100), nil, at(server, "run", "-", "--ordered", "-c", "16")...)
	require.Equal(t, exitOK, got.code)
	for i, r := range results(t, got.stdout) {
		require.EqualValues(t, i, r.Index)
	}
	require.LessOrEqual(t, server.Stats().MaxInFlight, 16)
}

func TestADeadlineEndsTheRunAndItCanBeContinued(t *testing.T) {
	var mended atomic.Bool
	server := llmtest.New(t, llmtest.Config{Respond: func(r *llmtest.Request) *llmtest.Answer {
		if !mended.Load() && r.Prompt() == "prompt 2" {
			return &llmtest.Answer{Fault: llmtest.Hang}
		}
		return nil
	}})
	inTempDir(t, map[string]string{"in.jsonl": requests(2)})
	got := gluepipe(t, "", nil, at(server, "run", "in.jsonl", "-o", "out.jsonl", "--deadline", "1")...)
	require.Equal(t, exitBroken, got.code)
	require.Contains(t, got.stderr, "\nnot finished         1\n")
	require.Regexp(t, `\ncontinue with:  gluepipe run .*\ngluepipe: the run's deadline of 1s has passed.*\n$`, got.stderr)
	require.Equal(t, []string{"r1"}, idsOf(results(t, read(t, "out.jsonl"))))

	mended.Store(true)
	require.Equal(t, exitOK, gluepipe(t, "", nil, at(server, "run", "in.jsonl", "-o", "out.jsonl")...).code)
	require.ElementsMatch(t, []string{"r1", "r2"}, idsOf(results(t, read(t, "out.jsonl"))))
}

func TestRetriesAreSeenInTheResult(t *testing.T) {
	inTempDir(t, nil)
	got := gluepipe(t, requests(1), nil, "run", "-", "--model", "mock:flaky", "--retry-failed")
	require.Equal(t, exitOK, got.code)
	r := results(t, got.stdout)[0]
	require.Equal(t, 2, r.Attempts)
	require.Equal(t, true, r.Metadata["_retried"])
}

func TestOutputsThatCannotBeWrittenBreakTheRun(t *testing.T) {
	inTempDir(t, map[string]string{"in.jsonl": requests(3)})
	for _, args := range [][]string{
		{"-o", "missing/out.jsonl"},
		{"-o", "/dev/full"},
		{"-o", "out.jsonl", "--response", "missing/response.json"},
		{"--response", "missing/response.json"},
	} {
		got := gluepipe(t, "", nil, append([]string{"run", "in.jsonl", "--model", "mock:echo"}, args...)...)
		require.Equal(t, exitBroken, got.code, args)
		require.Regexp(t, `(?s)gluepipe: [^\n]*(missing|/dev/full)[^\n]*\n$`, got.stderr)
	}
}

func TestAnOutputIsNotOverwrittenWhereTheFailuresCannotBeWritten(t *testing.T) {
	inTempDir(t, map[string]string{"in.jsonl": requests(1)})
	args := []string{"run", "in.jsonl", "--model", "mock:echo", "-o", "out.jsonl", "--overwrite"}
	require.Equal(t, exitOK, gluepipe(t, "", nil, args...).code)
	written := read(t, "out.jsonl")
	got := gluepipe(t, "", nil, append(args, "--errors", "missing/bad.jsonl")...)
	require.Equal(t, outcome{exitBroken, "", "gluepipe: open missing/bad.jsonl: no such file or directory\n"}, got)
	require.Equal(t, written, read(t, "out.jsonl"))
}

func TestADeviceIsNotToBeContinued(t *testing.T) {
	got := gluepipe(t, requests(1), nil, "run", "-", "--model", "mock:echo", "-o", "/dev/full")
	require.Equal(t, exitBroken, got.code)
	require.Contains(t, got.stderr, "\nnothing to continue: the results went to /dev/full; with -o FILE a run can be continued\n")
	got = gluepipe(t, "{}", nil, "run", "-", "--model", "mock:echo", "-o", "/dev/null")
	require.Equal(t, exitFailures, got.code)
	require.NotContains(t, got.stderr, "do the failed requests again")
}

func TestAResponseThatCannotBeWrittenKeepsTheRunFromBeginning(t *testing.T) {
	dir := inTempDir(t, map[string]string{"in.jsonl": requests(1), "out.jsonl": ""})
	require.NoError(t, os.Mkdir(filepath.Join(dir, "folder"), 0o755))
	args := []string{"run", "in.jsonl", "--model", "mock:echo", "-o", "out.jsonl", "--overwrite", "--response"}
	require.Equal(t, exitOK, gluepipe(t, "", nil, append(args, "response.json")...).code)
	written := read(t, "out.jsonl")
	for path, want := range map[string]string{
		"folder":     "--response: folder is a directory: want a file",
		"missing/it": "--response: writing missing/it: no such file or directory",
	} {
		require.Equal(t, outcome{exitBroken, "", "gluepipe: " + want + "\n"}, gluepipe(t, "", nil, append(args, path)...))
		require.Equal(t, written, read(t, "out.jsonl"))
	}
	left, err := filepath.Glob("*.tmp")
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestAnInputWithoutRequestsIsTold(t *testing.T) {
	dir := inTempDir(t, map[string]string{"in.jsonl": "\n\r\n"})
	got := gluepipe(t, "", nil, "run", "in.jsonl", "--model", "mock:echo")
	require.Equal(t, exitOK, got.code)
	require.Contains(t, got.stderr, "\nin.jsonl holds no requests\n")
	got = gluepipe(t, "", nil, "run", dir, "--model", "mock:echo", "-o", "out.jsonl")
	require.Equal(t, exitUsage, got.code)
	require.Contains(t, got.stderr, dir+" is a directory: want a file of requests")
	require.NoFileExists(t, "out.jsonl")
}

func TestSkippedRequestsCountInTheTimeAndAreDoneAgainByTheSameCommand(t *testing.T) {
	server := llmtest.New(t, llmtest.Config{Respond: func(*llmtest.Request) *llmtest.Answer {
		return llmtest.Error(http.StatusInternalServerError, "", "oops")
	}})
	inTempDir(t, map[string]string{"in.jsonl": requests(2)})
	args := at(server, "run", "in.jsonl", "-o", "out.jsonl", "--error-strategy", "skip")
	got := gluepipe(t, "", nil, args...)
	require.Equal(t, exitFailures, got.code)
	require.Contains(t, got.stderr, "\nprocessing time ")
	require.Contains(t, got.stderr, "\ndo the failed requests again with:  gluepipe "+strings.Join(args, " ")+"\n")
}

func TestKeysAppearNowhere(t *testing.T) {
	const key = "sk-very-secret-0123456789"
	server := llmtest.New(t, llmtest.Config{Respond: func(r *llmtest.Request) *llmtest.Answer {
		sent := r.Header.Get("Authorization")
		return llmtest.Error(http.StatusUnauthorized, "invalid_api_key", "Incorrect API key provided: "+sent)
	}})
	for name, test := range map[string]struct {
		files map[string]string
		env   env
		args  []string
	}{
		"environment": {env: env{"OPENAI_API_KEY": key}},
		".env":        {files: map[string]string{".env": "OPENAI_API_KEY=" + key + "\n"}},
		"key file":    {files: map[string]string{"keys": key + "\n" + key + "\n"}, args: []string{"--api-key-file", "keys"}},
	} {
		t.Run(name, func(t *testing.T) {
			before := server.Stats().Requests
			inTempDir(t, test.files)
			args := append([]string{
				"run", "-", "-o", "out.jsonl", "--response", "response.json", "--model", "openai:gpt-4o-mini",
				"--base-url", server.BaseURL(), "--log-level", "debug", "-c", "1", "--abort-after", "0",
			}, test.args...)
			got := gluepipe(t, requests(1), test.env, args...)
			require.Equal(t, exitFailures, got.code)
			require.Greater(t, server.Stats().Requests, before)
			written := read(t, "out.jsonl")
			require.Contains(t, written, "AuthenticationError")
			for _, text := range []string{got.stdout, got.stderr, written, read(t, "response.json")} {
				require.NotContains(t, text, key)
			}
		})
	}
}

func TestTheKeyComesFromTheFileThenTheEnvironmentThenDotenv(t *testing.T) {
	inTempDir(t, map[string]string{".env": "OPENAI_API_KEY=from-dotenv\n", "keys": "# mine\n\n from-file \n"})
	for key, test := range map[string]struct {
		env  env
		args []string
	}{
		"from-file":        {env{"OPENAI_API_KEY": "from-environment"}, []string{"--api-key-file", "keys"}},
		"from-environment": {env{"OPENAI_API_KEY": "from-environment"}, nil},
		"from-dotenv":      {nil, nil},
	} {
		server := llmtest.New(t, llmtest.Config{APIKeys: []string{key}})
		args := append([]string{"run", "-", "--model", "openai:gpt-4o-mini", "--base-url", server.BaseURL()}, test.args...)
		got := gluepipe(t, requests(1), test.env, args...)
		require.Equal(t, exitOK, got.code, got.stderr)
	}
}

func TestTheKeyOfAProviderThatOnlyARecordNamesComesFromDotenv(t *testing.T) {
	inTempDir(t, map[string]string{".env": "AZURE_OPENAI_API_KEY=from-dotenv\nAZURE_OPENAI_ENDPOINT=http://127.0.0.1:1\n"})
	got := gluepipe(t, `{"user_message": "hi", "model": "azure:x"}`, nil, "run", "-", "--model", "mock:echo",
		"--abort-after", "0")
	require.Contains(t, got.stdout, "connection refused") // it has called
}

func TestTheCommandToContinueIsQuotedAndSaysNoMoreThanItMust(t *testing.T) {
	require.Equal(t, `gluepipe run 'my in.jsonl' -o out.jsonl --param 'user=it'\''s' --rerun-failed -- --overwrite`,
		commandLine(continuing([]string{
			"run", "my in.jsonl", "-o", "out.jsonl", "--overwrite", "--rerun-failed=false", "--param", "user=it's", "--", "--overwrite",
		}, []string{"--rerun-failed"})))
}

func TestTheCommandToContinueHidesThePasswordOfAURL(t *testing.T) {
	got := gluepipe(t, requests(1), nil, "run", "-", "-o", filepath.Join(t.TempDir(), "out.jsonl"), "--model", "openai:x",
		"--base-url", "http://user:open@sesame@127.0.0.1:1/v1", "--log-level", "debug", "--abort-after", "0")
	require.Equal(t, exitFailures, got.code)
	require.NotContains(t, got.stderr, "sesame")
	require.Contains(t, got.stderr, "--base-url http://USER:PASSWORD@127.0.0.1:1/v1 ")
}

func TestAnOverwriteFromTheEnvironmentIsTakenBackToContinue(t *testing.T) {
	inTempDir(t, nil)
	got := gluepipe(t, "{}", env{"GLUEPIPE_OVERWRITE": "true"}, "run", "-", "-o", "out.jsonl", "--model", "mock:echo")
	require.Equal(t, exitFailures, got.code)
	require.Contains(t, got.stderr, "\ndo the failed requests again (give it the same input) with:  "+
		"gluepipe run - -o out.jsonl --model mock:echo --rerun-failed --overwrite=false\n")
}
