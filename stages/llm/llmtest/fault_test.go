package llmtest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

const hello = `{"model":"m","messages":[{"role":"user","content":"hello"}]}`

func always(a *llmtest.Answer) llmtest.Config {
	return llmtest.Config{Respond: func(*llmtest.Request) *llmtest.Answer { return a }}
}

func TestResetClosesTheConnectionWithRST(t *testing.T) {
	srv, client := start(t, always(&llmtest.Answer{Fault: llmtest.Reset}))
	_, err := client.post(hello)
	require.ErrorIs(t, err, syscall.ECONNRESET)
	require.Equal(t, map[int]int{0: 1}, srv.Stats().Statuses)
}

func TestBodyResetSendsRSTInTheMiddleOfTheBody(t *testing.T) {
	for name, cfg := range map[string]llmtest.Config{
		"fault": always(&llmtest.Answer{Content: strings.Repeat("x", 1000), Fault: llmtest.BodyReset}), "rate": {BodyResetRate: 1},
	} {
		srv, client := start(t, cfg)
		a, err := client.post(hello)
		require.ErrorIs(t, err, syscall.ECONNRESET, name)
		require.Equal(t, 200, a.status)
		require.Equal(t, map[int]int{200: 1}, srv.Stats().Statuses)
	}
}

func TestHangLastsUntilTheClientGoes(t *testing.T) {
	entered := make(chan struct{})
	srv, client := start(t, llmtest.Config{Respond: func(*llmtest.Request) *llmtest.Answer {
		close(entered)
		return &llmtest.Answer{Fault: llmtest.Hang}
	}})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-entered
		cancel()
	}()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, client.url+"/chat/completions", strings.NewReader(hello))
	require.NoError(t, err)
	_, err = client.do(req)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, srv.Close())
	require.Zero(t, srv.Stats().InFlight)
}

func TestCloseEndsWhatHangsOrSleeps(t *testing.T) {
	for name, test := range map[string]struct {
		cfg    llmtest.Config
		answer *llmtest.Answer
	}{
		"hanging":   {answer: &llmtest.Answer{Fault: llmtest.Hang}},
		"hang rate": {cfg: llmtest.Config{HangRate: 1}},
		"latency":   {cfg: llmtest.Config{Latency: time.Hour}},
		"delay":     {answer: &llmtest.Answer{Delay: time.Hour}},
		"endless":   {answer: &llmtest.Answer{Fault: llmtest.Endless}},
		"trickle":   {answer: &llmtest.Answer{Fault: llmtest.Trickle, Delay: time.Hour}},
	} {
		t.Run(name, func(t *testing.T) {
			entered := make(chan struct{})
			test.cfg.Respond = func(*llmtest.Request) *llmtest.Answer {
				close(entered)
				return test.answer
			}
			srv, client := start(t, test.cfg)
			failed := make(chan error)
			go func() {
				resp, err := client.http.Post(client.url+"/chat/completions", "application/json", strings.NewReader(hello))
				if err == nil {
					_, err = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
				}
				failed <- err
			}()
			<-entered
			require.NoError(t, srv.Close())
			require.Error(t, <-failed)
			require.Equal(t, llmtest.Stats{Requests: 1, MaxInFlight: 1, Statuses: map[int]int{0: 1}}, srv.Stats())
			require.NoError(t, srv.Close(), "a second time")
		})
	}
}

func TestTruncateEndsTheConnectionInTheMiddleOfTheBody(t *testing.T) {
	_, client := start(t, always(&llmtest.Answer{Content: "hello", Fault: llmtest.Truncate}))
	a, err := client.post(hello)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Equal(t, 200, a.status)
	require.NotEmpty(t, a.body)
	require.NotContains(t, a.body, "usage")
}

func TestEmptyBodyHasStatusAndHeadersAlone(t *testing.T) {
	_, client := start(t, always(&llmtest.Answer{Content: "hello", Fault: llmtest.EmptyBody}))
	a, err := client.post(hello)
	require.NoError(t, err)
	require.Equal(t, 200, a.status)
	require.Empty(t, a.body)
}

func TestHalfJSONIsAWholeBodyOfHalfAnAnswer(t *testing.T) {
	_, client := start(t, always(&llmtest.Answer{Content: "hello", Fault: llmtest.HalfJSON}))
	a, err := client.post(hello)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(a.body, `{"id":"chatcmpl-`), a.body)
	require.NotContains(t, a.body, "usage")
}

func TestTrickleSendsBlankLinesBeforeTheBody(t *testing.T) {
	_, client := start(t, always(&llmtest.Answer{Content: "hello", Fault: llmtest.Trickle, Delay: 20 * time.Millisecond}))
	a, err := client.post(hello)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(a.body, "\n\n\n\n{"), a.body)
	require.Empty(t, a.header.Get("Content-Length"))
	require.Equal(t, "hello", *a.completion(t).Choices[0].Message.Content)
}

func TestLateEndSendsTheWholeBodyBeforeItsEnd(t *testing.T) {
	_, client := start(t, always(&llmtest.Answer{Content: "hello", Fault: llmtest.LateEnd}))
	a, err := client.post(hello)
	require.NoError(t, err)
	require.Empty(t, a.header.Get("Content-Length"))
	require.Equal(t, "hello", *a.completion(t).Choices[0].Message.Content)
}

func TestEndlessNeverStops(t *testing.T) {
	_, client := start(t, always(&llmtest.Answer{Fault: llmtest.Endless}))
	resp, err := client.http.Post(client.url+"/chat/completions", "application/json", strings.NewReader(hello))
	require.NoError(t, err)
	n, err := io.CopyN(io.Discard, resp.Body, 4<<20)
	require.NoError(t, err)
	require.Equal(t, int64(4<<20), n)
	require.NoError(t, resp.Body.Close())
}

func TestReadyMadeBrokenAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		answer *llmtest.Answer
		status int
		body   string // a part of it
	}{
		"HTML":           {llmtest.HTML(), 200, "<!DOCTYPE html>"},
		"ErrorInside200": {llmtest.ErrorInside200(), 200, `{"error":{"message":`},
		"NoChoices":      {llmtest.NoChoices(), 200, `"choices":[]`},
		"NullContent":    {llmtest.NullContent(), 200, `"message":{"role":"assistant","content":null}`},
		"NullArguments":  {llmtest.NullArguments("now"), 200, `"function":{"name":"now","arguments":null}`},
		"Call":           {llmtest.Call("no_such_tool", "{oops"), 200, `"function":{"name":"no_such_tool","arguments":"{oops"}`},
		"QuotaExceeded":  {llmtest.QuotaExceeded(), 429, `"type":"insufficient_quota","param":null,"code":"insufficient_quota"`},
		"Error": {
			llmtest.Error(400, "context_length_exceeded", `Too "long".`), 400,
			`{"error":{"message":"Too \"long\".","type":"invalid_request_error","param":null,"code":"context_length_exceeded"}}`,
		},
		"a body and status of one's own": {
			&llmtest.Answer{Status: 418, Body: []byte("tea"), Header: http.Header{"x-request-id": {"mine"}}}, 418, "tea",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, client := start(t, always(test.answer))
			a, err := client.post(hello)
			require.NoError(t, err)
			require.Equal(t, test.status, a.status)
			require.Contains(t, a.body, test.body)
			require.Len(t, a.header.Values("X-Request-Id"), 1)
		})
	}
}

func TestRateLimitedAsksForAWait(t *testing.T) {
	_, client := start(t, llmtest.Config{Latency: time.Hour, Respond: llmtest.Sequence( // it comes at once
		llmtest.RateLimited(1200*time.Millisecond), llmtest.RateLimited(20*time.Millisecond),
	)})
	a := client.ask("m", "hi")
	require.Equal(t, 429, a.status)
	require.Equal(t, "2", a.header.Get("Retry-After"))
	require.Equal(t, "1200", a.header.Get("Retry-After-Ms"))
	require.Equal(t, "rate_limit_exceeded", a.completion(t).Error.Code)

	a = client.ask("m", "hi")
	require.Empty(t, a.header.Values("Retry-After"), "a second would be too much")
	require.Equal(t, "20", a.header.Get("Retry-After-Ms"))
}

func TestRatesBreakThatShareOfTheAnswersTheSameInEachRun(t *testing.T) {
	run := func(seed int64) (fates string) {
		srv, client := start(t, llmtest.Config{
			ErrorRate: 0.2, TruncateRate: 0.2, EmptyRate: 0.2, ResetRate: 0.2, Seed: seed,
		})
		for range 200 {
			a, err := client.post(hello)
			switch {
			case errors.Is(err, io.ErrUnexpectedEOF):
				fates += "t"
			case err != nil:
				require.ErrorIs(t, err, syscall.ECONNRESET)
				fates += "r"
			case a.status == 500:
				fates += "5"
			case a.status == 503:
				fates += "3"
			case a.body == "":
				fates += "e"
			default:
				require.Equal(t, "hello", *a.completion(t).Choices[0].Message.Content)
				fates += "."
			}
		}
		require.Equal(t, strings.Count(fates, "r"), srv.Stats().Statuses[0])
		return fates
	}
	fates := run(1)
	for _, fate := range []string{"t", "r", "e", "."} {
		require.InDelta(t, 40, strings.Count(fates, fate), 20, fate)
	}
	require.InDelta(t, 20, strings.Count(fates, "5"), 15)
	require.InDelta(t, 20, strings.Count(fates, "3"), 15)
	require.Equal(t, fates, run(1))
	require.NotEqual(t, fates, run(2))
}
