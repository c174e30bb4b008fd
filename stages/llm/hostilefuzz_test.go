package llm_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

// scripted answers every request with one status, header and body.
type scripted struct {
	status int
	header http.Header
	body   string
}

func (s *scripted) Do(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: s.status, Header: s.header, Body: io.NopCloser(strings.NewReader(s.body))}, nil
}

func FuzzWhatIsNoAnswerIsNeverTakenForOne(f *testing.F) {
	for _, test := range hostileBodies {
		if len(test.body) < 1<<10 {
			f.Add(200, test.body)
		}
	}
	for status, test := range hostileStatuses {
		f.Add(status, test.text)
	}
	server := &scripted{header: http.Header{}}
	client, err := llm.NewClient(llm.ClientConfig{BaseURL: "http://localhost", APIKey: testKey, HTTPClient: server})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		server.status, server.body = status, body
		answer, err := client.Complete(t.Context(), &llm.Call{Model: "m", KeepRaw: true})
		if err != nil {
			checkFailure(t, answer, err)
			return
		}
		if status < 200 || status > 299 {
			t.Fatalf("a %d is an answer", status)
		}
		checkAnswer(t, answer)
	})
}

// checkFailure checks what holds for every error.
func checkFailure(t *testing.T, answer *llm.Answer, err error) {
	t.Helper()
	e, ok := errors.AsType[*llm.Error](err)
	switch {
	case answer != nil || !ok || e.Kind == "" || e.Kind.Unfinished():
		t.Fatalf("got %v and %#v", answer, err)
	case err.Error() == "" || len(err.Error()) > 2000 || !utf8.ValidString(err.Error()):
		t.Fatalf("got %q", err)
	case strings.ContainsAny(err.Error(), "\x00\x1b\n\r") || strings.Contains(err.Error(), testKey):
		t.Fatalf("got %q", err)
	case e.Retryable && (e.Kind == batch.ErrAuthentication || e.Kind == batch.ErrQuotaExceeded || e.Fatal):
		t.Fatalf("%v is retried", e.Kind)
	case e.RetryAfter < 0 || e.RetryAfter > 24*time.Hour:
		t.Fatalf("waits for %v", e.RetryAfter)
	case e.Raw == nil || !utf8.Valid(e.Raw.Body):
		t.Fatalf("got %+v", e.Raw)
	}
	checkUsage(t, e.Usage, e.CostUSD)
}

// checkAnswer checks that an answer is one: it says something, or is cut before it could, and can be sent back.
func checkAnswer(t *testing.T, a *llm.Answer) {
	t.Helper()
	var message struct {
		Content  json.RawMessage `json:"content"`
		Function json.RawMessage `json:"function_call"`
		Audio    json.RawMessage `json:"audio"`
	}
	sent, err := a.Message.AppendJSON(nil)
	if err != nil || json.Unmarshal(sent, &message) != nil || !utf8.Valid(sent) {
		t.Fatalf("%q can't be sent back: %v", sent, err)
	}
	content := strings.TrimSpace(string(message.Content))
	spoken := strings.HasPrefix(content, `"`) || strings.HasPrefix(content, "[")
	called := len(a.ToolCalls()) > 0 || message.Function != nil || message.Audio != nil
	if !spoken && !called && a.Refusal == "" && a.FinishReason != "length" {
		t.Fatalf("%q says nothing", sent)
	}
	if a.FinishReason == "content_filter" || a.FinishReason == "error" || len(a.Model) > 210 || len(a.FinishReason) > 210 {
		t.Fatalf("got %+v", a)
	}
	checkUsage(t, a.Usage, a.CostUSD)
}

func checkUsage(t *testing.T, usage *batch.TokenUsage, cost *float64) {
	t.Helper()
	if usage != nil && (min(usage.Prompt, usage.Completion, usage.Total) < 0 ||
		max(usage.Prompt, usage.Completion, usage.Total) > 2e12) {
		t.Fatalf("got %+v", *usage)
	}
	if cost != nil && !(*cost >= 0 && *cost <= 1e6) {
		t.Fatalf("got %v", *cost)
	}
}

func FuzzHeadersOfAFailureBecomeAWait(f *testing.F) {
	f.Add(429, "20", "1500", "Sun, 01 Mar 2026 12:00:00 GMT", "0", "6m0s", `{"Retry-After":"17"}`)
	f.Add(503, "Sun, 01 Mar 2026 12:00:30 GMT", "-1", "Sun, 01 Mar 2026 12:00:00 GMT", "", "soon", `null`)
	f.Add(429, "Fri, 31 Dec 9999 23:59:59 GMT", "NaN", "Thu, 01 Jan 1970 00:00:00 GMT", "0", "1772366430500", `[]`)
	f.Add(429, "1e308", "1e308", "never", "0", "2026-03-01T12:00:01Z", `{"X-RateLimit-Remaining":"0","X-RateLimit-Reset":"1e99"}`)
	server := &scripted{}
	client, err := llm.NewClient(llm.ClientConfig{BaseURL: "http://localhost", APIKey: testKey, HTTPClient: server})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, status int, after, millis, date, remaining, reset, inside string) {
		server.status, server.header = status, http.Header{
			"Retry-After": {after}, "Retry-After-Ms": {millis}, "Date": {date}, "X-Request-Id": {after},
			"X-Ratelimit-Remaining-Requests": {remaining}, "X-Ratelimit-Reset-Requests": {reset},
			"X-Ratelimit-Remaining": {remaining}, "X-Ratelimit-Reset": {reset},
			"Anthropic-Ratelimit-Tokens-Remaining": {remaining}, "Anthropic-Ratelimit-Tokens-Reset": {reset},
		}
		server.body = `{"error":{"message":"m","metadata":{"headers":` + inside + `}}}`
		answer, err := client.Complete(t.Context(), &llm.Call{Model: "m", KeepRaw: true})
		if err == nil {
			t.Fatalf("got %v", answer)
		}
		checkFailure(t, answer, err)
		e, _ := errors.AsType[*llm.Error](err)
		if e.Header.RemainingRequests < -1 || e.Header.ResetRequests < 0 || e.Header.ResetTokens < 0 || len(e.RequestID) > 210 {
			t.Fatalf("got %+v", e.Header)
		}
	})
}
