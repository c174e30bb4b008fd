//go:build aimock

package main

import (
	"bytes"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// aimock is a server of the npm package of that name, another implementation of the dialect, which answers from
// testdata/aimock.json. .ci/foreign-server starts it.
type aimock struct{ url string }

func newAimock(t *testing.T) aimock {
	t.Helper()
	url := os.Getenv("GLUEPIPE_AIMOCK_URL")
	require.NotEmpty(t, url, "GLUEPIPE_AIMOCK_URL: .ci/foreign-server starts the server and sets it")
	return aimock{url}
}

// run has the program, as a process, do the input's requests, and returns their results and what it said.
func (a aimock) run(t *testing.T, wantCode int, input string, flags ...string) ([]*batch.Result, string) {
	t.Helper()
	inTempDir(t, map[string]string{"in.jsonl": input})
	args := append([]string{
		"run", "in.jsonl", "-o", "out.jsonl", "--model", "openai:gpt-4o-mini", "--base-url", a.url + "/v1",
		"--progress", "none", "--ordered",
	}, flags...)
	cmd := program(t, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	_ = cmd.Run()
	require.Equal(t, wantCode, cmd.ProcessState.ExitCode(), stderr.String())
	return results(t, read(t, "out.jsonl")), stderr.String()
}

// chaos sets the shares of requests that go wrong until the test ends, as a JSON object.
func (a aimock) chaos(t *testing.T, shares string) {
	t.Helper()
	a.do(t, http.MethodPost, "/__aimock/chaos", shares)
	t.Cleanup(func() { a.do(t, http.MethodDelete, "/__aimock/chaos", "") })
}

// seen returns how many requests for a completion the server has answered, or not, with the status.
func (a aimock) seen(t *testing.T, status string) int {
	t.Helper()
	answer := a.do(t, http.MethodGet, "/__aimock/journal?limit=1&path=/v1/chat/completions"+status, "")
	n, err := strconv.Atoi(answer.Header.Get("X-Total-Count"))
	require.NoError(t, err)
	return n
}

func (a aimock) do(t *testing.T, method, path, body string) *http.Response {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	req, err := http.NewRequest(method, a.url+path, strings.NewReader(body)) //nolint:noctx // a cleanup has no context
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	answer, err := transport.RoundTrip(req)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Less(t, answer.StatusCode, 300, path)
	return answer
}

func TestAForeignServerIsUnderstood(t *testing.T) {
	server := newAimock(t)
	all, _ := server.run(t, exitOK, requests(20))
	require.Len(t, all, 20)
	for _, r := range all {
		require.Equal(t, "A foreign answer.", r.Response)
		require.Positive(t, r.TokensUsed.Total)
		require.Equal(t, "stop", r.FinishReason)
	}
}

func TestAForeignServerCallsTools(t *testing.T) {
	server := newAimock(t)
	all, _ := server.run(t, exitOK, `{"user_message": "please calculate"}`, "--tools", "calculate")
	require.Len(t, all, 1)
	require.Equal(t, "The tool has answered.", all[0].Response)
	require.Len(t, all[0].ToolExecutionHistory, 1)
	require.Equal(t, "42", all[0].ToolExecutionHistory[0].Result)
}

func TestEachFaultOfAForeignServerHasItsKind(t *testing.T) {
	server := newAimock(t)
	for _, fault := range []struct {
		chaos string
		kind  batch.ErrorKind
	}{
		{`{"dropRate": 1}`, batch.ErrServer},
		{`{"malformedRate": 1}`, batch.ErrServer},
		{`{"disconnectRate": 1}`, batch.ErrAPIConnection},
		{`{"rateLimitRate": 1}`, batch.ErrRateLimit},
	} {
		t.Run(fault.chaos, func(t *testing.T) {
			server.chaos(t, fault.chaos)
			all, said := server.run(t, exitFailures, requests(3), "--max-rate-limit-wait", "1ms")
			require.Len(t, all, 3)
			for _, r := range all {
				require.Equal(t, fault.kind, r.ErrorType, "%s\n%s", r.Error, said)
			}
		})
	}
	all, _ := server.run(t, exitFailures, `{"user_message": "nobody knows this one"}`)
	require.Equal(t, batch.ErrInvalidRequest, all[0].ErrorType, all[0].Error)
}

func TestAllSucceedsAndEachCallIsCountedInTheChaosOfAForeignServer(t *testing.T) {
	server := newAimock(t)
	for _, chaos := range []struct {
		shares string
		count  int
	}{
		{`{"dropRate": 0.1, "malformedRate": 0.1, "disconnectRate": 0.1, "latencyMs": 5}`, 150},
		// Its 429 tells of a limit of 60 requests a minute, which the program then keeps to.
		{`{"rateLimitRate": 0.1, "dropRate": 0.1}`, 30},
	} {
		t.Run(chaos.shares, func(t *testing.T) {
			server.chaos(t, chaos.shares)
			seen, limited := server.seen(t, ""), server.seen(t, "&status=429")
			all, _ := server.run(t, exitOK, requests(chaos.count), "-c", "32", "--max-attempts", "12")
			require.Len(t, all, chaos.count)
			attempts := 0
			for i, r := range all {
				require.Equal(t, "r"+strconv.Itoa(i+1), r.ID)
				require.Equal(t, "A foreign answer.", r.Response)
				attempts += r.Attempts
			}
			seen, limited = server.seen(t, "")-seen, server.seen(t, "&status=429")-limited
			t.Logf("%d attempts; the server saw %d calls, %d of them above its limit", attempts, seen, limited)
			require.Equal(t, seen-limited, attempts, "a call that meets the rate limit is no attempt, and every other one is")
		})
	}
}
