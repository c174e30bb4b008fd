package llmtest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

func TestStartRefusesAConfigThatMakesNoSense(t *testing.T) {
	for want, cfg := range map[string]llmtest.Config{
		`address "8080": address 8080: missing port`: {Addr: "8080"},
		`unknown behaviour "gpt-4"`:                  {Behaviour: "gpt-4"},
		"error_rate must be from 0 to 1":             {ErrorRate: -0.1},
		"the rates must be at most 1 together":       {ErrorRate: 0.6, EmptyRate: 0.6},
	} {
		_, err := llmtest.Start(cfg)
		require.ErrorContains(t, err, want)
	}
}

func TestStartSaysThatTheAddressIsInUse(t *testing.T) {
	srv, _ := start(t, llmtest.Config{})
	addr := strings.TrimSuffix(strings.TrimPrefix(srv.BaseURL(), "http://"), "/v1")
	_, err := llmtest.Start(llmtest.Config{Addr: addr})
	require.ErrorContains(t, err, addr)
}

func TestServerListensOnLoopbackUnlessAnotherHostIsWritten(t *testing.T) {
	for _, addr := range []string{"", ":0", "127.0.0.1:0", "0.0.0.0:0"} {
		srv, client := start(t, llmtest.Config{Addr: addr})
		require.Regexp(t, `^http://127\.0\.0\.1:\d+/v1$`, srv.BaseURL())
		require.Equal(t, 200, client.ask("m", "hi").status)
	}
}

// fatal is a llmtest.TB that stops nothing.
type fatal struct{ message string }

func (*fatal) Helper()        {}
func (*fatal) Cleanup(func()) {}
func (f *fatal) Fatalf(format string, args ...any) {
	f.message = fmt.Sprintf(format, args...)
}

func TestNewFailsTheTestWhereStartFails(t *testing.T) {
	var tb fatal
	require.Nil(t, llmtest.New(&tb, llmtest.Config{Jitter: 2}))
	require.Contains(t, tb.message, "jitter must be from 0 to 1, got 2")
}

func TestBadRequestsAreRefusedAsOpenAIDoes(t *testing.T) {
	srv, client := start(t, llmtest.Config{Latency: time.Hour}) // which refusals don't wait for
	for body, want := range map[string][3]string{
		`{"model":`: {"invalid_json", "", "not valid JSON"},
		``:          {"invalid_json", "", "not valid JSON"},
		`{} {}`:     {"invalid_json", "", "not valid JSON"},
		`{"messages":[{"role":"user","content":"hi"}]}`:                           {"missing_required_parameter", "model", "model"},
		`{"model":"m","messages":[]}`:                                             {"missing_required_parameter", "messages", "messages"},
		`{"model":"m","messages":"hi"}`:                                           {"invalid_type", "messages", "got a string"},
		`{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true}`: {"unsupported_value", "stream", "stream"},
	} {
		a, err := client.post(body)
		require.NoError(t, err)
		require.Equal(t, 400, a.status, body)
		e := a.completion(t).Error
		require.Equal(t, "invalid_request_error", e.Type)
		require.Equal(t, want, [3]string{e.Code, e.Param, want[2]}, body)
		require.Contains(t, e.Message, want[2])
	}
	require.Equal(t, map[int]int{400: 7}, srv.Stats().Statuses)
}

func TestOtherPathsAndMethodsGetAJSONError(t *testing.T) {
	srv, client := start(t, llmtest.Config{})
	for target, status := range map[string]int{
		"GET /chat/completions": 405, "POST /models": 405, "POST /completions": 404, "GET /": 404, "GET /models/": 404,
	} {
		method, path, _ := strings.Cut(target, " ")
		req, err := http.NewRequestWithContext(t.Context(), method, client.url+path, nil)
		require.NoError(t, err)
		a, err := client.do(req)
		require.NoError(t, err)
		require.Equal(t, status, a.status, target)
		require.NotEmpty(t, a.completion(t).Error.Message)
		require.NotEmpty(t, a.header.Get("X-Request-Id"))
	}
	require.Zero(t, srv.Stats().Requests)
}

func TestModelsListsTheBehaviours(t *testing.T) {
	_, client := start(t, llmtest.Config{APIKeys: []string{"sk-good"}})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, client.url+"/models", nil)
	require.NoError(t, err)
	a, err := client.do(req)
	require.NoError(t, err)
	require.Equal(t, 401, a.status)

	req.Header.Set("Authorization", "Bearer sk-good")
	a, err = client.do(req)
	require.NoError(t, err)
	require.Equal(t, 200, a.status)
	for _, name := range []string{"echo", "flaky", "fail", "length", "refuse"} {
		require.Contains(t, a.body, `{"id":"`+name+`","object":"model"`)
	}
}

func TestOnlyTheKeysGivenAreLetIn(t *testing.T) {
	srv, client := start(t, llmtest.Config{APIKeys: []string{"sk-good", "sk-other"}, Latency: time.Microsecond})
	for _, header := range [][]string{{"Authorization", "Bearer sk-bad"}, {"Api-Key", "sk-bad"}, nil} {
		a, err := client.post(hello, header...)
		require.NoError(t, err)
		require.Equal(t, 401, a.status)
		require.Equal(t, "invalid_api_key", a.completion(t).Error.Code)
		require.NotContains(t, a.body, "sk-")
	}
	for _, header := range [][]string{{"Authorization", "Bearer sk-good"}, {"Api-Key", "sk-other"}} {
		a, err := client.post(hello, header...)
		require.NoError(t, err)
		require.Equal(t, 200, a.status)
	}
	require.Equal(t, map[int]int{200: 2, 401: 3}, srv.Stats().Statuses)
}

func TestARequestIsOverForStatsOnceItsAnswerIsRead(t *testing.T) {
	for name, fault := range map[string]llmtest.Fault{
		"whole": 0, "empty": llmtest.EmptyBody, "half": llmtest.HalfJSON, "trickle": llmtest.Trickle, "late end": llmtest.LateEnd,
	} {
		t.Run(name, func(t *testing.T) {
			requests := 1000
			if fault == llmtest.Trickle || fault == llmtest.LateEnd {
				requests = 5 // each takes its time
			}
			srv, client := start(t, always(&llmtest.Answer{Content: "hello", Fault: fault}))
			for i := range requests {
				resp, err := client.http.Post(client.url+"/chat/completions", "application/json", strings.NewReader(hello))
				require.NoError(t, err)
				var answer json.RawMessage
				_ = json.NewDecoder(resp.Body).Decode(&answer) // which doesn't wait for the body's end
				require.Zero(t, srv.Stats().InFlight, "request %d", i)
				_, err = io.Copy(io.Discard, resp.Body)
				require.NoError(t, err)
				require.NoError(t, resp.Body.Close())
			}
			require.Equal(t, llmtest.Stats{Requests: requests, MaxInFlight: 1, Statuses: map[int]int{200: requests}}, srv.Stats())
		})
	}
}

func TestStatsNeverSeeAClientAboveItsBound(t *testing.T) {
	const bound, requests = 7, 2000
	srv, client := start(t, llmtest.Config{})
	var wg sync.WaitGroup
	for range bound {
		wg.Go(func() {
			for range requests / bound {
				if _, err := client.post(hello); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	stats := srv.Stats()
	require.Equal(t, requests/bound*bound, stats.Statuses[200])
	require.LessOrEqual(t, stats.MaxInFlight, bound)
}

func TestStatsCountAllThatAreInFlight(t *testing.T) {
	const together = 20
	var arrived sync.WaitGroup
	arrived.Add(together)
	srv, client := start(t, llmtest.Config{Respond: func(*llmtest.Request) *llmtest.Answer {
		arrived.Done()
		arrived.Wait()
		return nil
	}})
	var wg sync.WaitGroup
	for range together {
		wg.Go(func() {
			if _, err := client.post(hello); err != nil {
				t.Error(err)
			}
		})
	}
	arrived.Wait()
	wg.Wait()
	require.Equal(t, together, srv.Stats().MaxInFlight)
	require.Zero(t, srv.Stats().InFlight)
}

func TestCloseWaitsForRespond(t *testing.T) {
	entered := make(chan struct{})
	var finished atomic.Bool
	srv, client := start(t, llmtest.Config{Respond: func(r *llmtest.Request) *llmtest.Answer {
		close(entered)
		<-r.Context().Done()
		for range 200_000 {
			runtime.Gosched()
		}
		finished.Store(true)
		return nil
	}})
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := client.post(hello); err == nil {
			t.Error("want no answer")
		}
	})
	<-entered
	require.NoError(t, srv.Close())
	require.True(t, finished.Load())
	wg.Wait()
}

func TestBodiesAreKeptInTheirOrder(t *testing.T) {
	srv, client := start(t, llmtest.Config{RecordBodies: true})
	for _, body := range []string{hello, "not JSON"} {
		_, err := client.post(body)
		require.NoError(t, err)
	}
	bodies := srv.Bodies()
	require.Len(t, bodies, 2)
	require.Equal(t, hello, string(bodies[0]))
	require.Equal(t, "not JSON", string(bodies[1]))
}

func TestAttemptsAreCountedByPrompt(t *testing.T) {
	srv, client := start(t, llmtest.Config{CountAttempts: true})
	client.ask("m", "a")
	client.ask("other", "a")
	client.ask("m", "b")
	require.Equal(t, 2, srv.Attempts("a"))
	require.Equal(t, 1, srv.Attempts("b"))
	require.Zero(t, srv.Attempts("c"))
}

func TestAskingForWhatWasNotKeptPanics(t *testing.T) {
	srv, _ := start(t, llmtest.Config{})
	require.PanicsWithValue(t, "gluepipe: Server.Attempts needs Config.CountAttempts", func() { srv.Attempts("a") })
	require.PanicsWithValue(t, "gluepipe: Server.Bodies needs Config.RecordBodies", func() { srv.Bodies() })
}
