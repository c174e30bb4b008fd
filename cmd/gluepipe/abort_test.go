package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

func TestAWrongKeyEndsTheRunUsesUpNoRequestAndAMendedOneDoesThemAll(t *testing.T) {
	const wrong, right = "sk-wrong-0123456789", "sk-right-0123456789"
	server := llmtest.New(t, llmtest.Config{APIKeys: []string{right}})
	inTempDir(t, map[string]string{"in.jsonl": requests(300)})
	args := []string{
		"run", "in.jsonl", "-o", "out.jsonl", "--model", "openai:gpt-4o-mini", "--base-url", server.BaseURL(), "--progress", "none",
	}
	got := gluepipe(t, "", env{"OPENAI_API_KEY": wrong}, args...)
	require.Equal(t, exitBroken, got.code)
	require.Empty(t, read(t, "out.jsonl"))
	require.Contains(t, got.stderr, "\nfailed               0\n")
	require.Regexp(t, `(?s)\ncontinue with:  gluepipe run in\.jsonl .*\n`+
		`gluepipe: stopped: no usable API key is left: \.\.\.6789 \(401 [^\n]*\n$`, got.stderr)
	require.NotContains(t, got.stderr, wrong)
	require.LessOrEqual(t, server.Stats().Requests, 10, "nothing more is tried")

	require.Equal(t, exitOK, gluepipe(t, "", env{"OPENAI_API_KEY": right}, args...).code)
	require.Len(t, results(t, read(t, "out.jsonl")), 300)
}

func TestARunInWhichEverythingFailsEndsAndCanBeContinued(t *testing.T) {
	var up atomic.Bool
	server := llmtest.New(t, llmtest.Config{Respond: func(*llmtest.Request) *llmtest.Answer {
		if up.Load() {
			return nil
		}
		return llmtest.Error(http.StatusServiceUnavailable, "", "overloaded")
	}})
	inTempDir(t, map[string]string{"in.jsonl": requests(300)})
	args := at(server, "run", "in.jsonl", "-o", "out.jsonl", "--abort-after", "20")
	got := gluepipe(t, "", nil, args...)
	require.Equal(t, exitBroken, got.code)
	require.Regexp(t, `\nfailed               19\n  ServerError        19, such as r\d+: 503 [^\n]*\nnot finished `, got.stderr)
	require.Contains(t, got.stderr, "\ncontinue with:  gluepipe "+strings.Join(args, " ")+"\n"+
		"add --rerun-failed to do the 19 failed requests again, too\n")
	require.Contains(t, got.stderr, "\ngluepipe: stopped after 20 failures in a row without a success: ServerError: 503 ")
	require.Len(t, results(t, read(t, "out.jsonl")), 19)

	up.Store(true)
	got = gluepipe(t, "", nil, args...)
	require.Equal(t, exitFailures, got.code)
	require.Len(t, results(t, read(t, "out.jsonl")), 300)
	require.Equal(t, exitOK, gluepipe(t, "", nil, append(args, "--rerun-failed")...).code)
	require.Len(t, results(t, read(t, "out.jsonl")), 300)
}

func TestARunCanBeToldToGoThroughAllRequestsWhateverFails(t *testing.T) {
	server := llmtest.New(t, llmtest.Config{Respond: func(*llmtest.Request) *llmtest.Answer {
		return llmtest.Error(http.StatusServiceUnavailable, "", "overloaded")
	}})
	inTempDir(t, nil)
	got := gluepipe(t, requests(150), nil, at(server, "run", "-", "--abort-after", "0")...)
	require.Equal(t, exitFailures, got.code)
	require.Len(t, results(t, got.stdout), 150)
}

func TestTheWholeTimeOfARequestCanBeBounded(t *testing.T) {
	server := llmtest.New(t, llmtest.Config{Respond: func(r *llmtest.Request) *llmtest.Answer {
		if r.Prompt() == "prompt 2" {
			return &llmtest.Answer{Fault: llmtest.Hang}
		}
		return nil
	}})
	inTempDir(t, nil)
	got := gluepipe(t, requests(3), nil, at(server, "run", "-", "--ordered", "--request-timeout", "1", "--max-attempts", "9")...)
	require.Equal(t, exitFailures, got.code)
	rs := results(t, got.stdout)
	require.Equal(t, "no answer within the request's timeout of 1s (1 attempt)", rs[1].Error)
	require.True(t, rs[0].Success)
	require.True(t, rs[2].Success)
}

func TestTheResponseOfARunThatWasCutShortAddsUp(t *testing.T) {
	inTempDir(t, map[string]string{"in.jsonl": requests(300)})
	for name, strategy := range map[string]string{"cut short": "continue", "with failures left out": "skip"} {
		t.Run(name, func(t *testing.T) {
			got := gluepipe(t, "", nil, "run", "in.jsonl", "--model", "mock:fail", "-o", strategy+".jsonl", "--abort-after", "50",
				"--error-strategy", strategy, "--response", strategy+".json", "-c", "4")
			require.Equal(t, exitBroken, got.code, got.stderr)
			var response batch.Response
			require.NoError(t, json.Unmarshal([]byte(read(t, strategy+".json")), &response))
			require.Equal(t, response.TotalRequests, response.SuccessfulRequests+response.FailedRequests)
			require.Equal(t, 49, response.FailedRequests-response.UnfinishedRequests)
			require.Positive(t, response.UnfinishedRequests)
		})
	}
}
