package llm_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/sashabaranov/go-openai"
	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

func adapt(t *testing.T, baseURL string) llm.Completer {
	t.Helper()
	cfg := openai.DefaultConfig(testKey)
	cfg.BaseURL = baseURL
	transport := llm.NewTransport(0)
	t.Cleanup(transport.CloseIdleConnections)
	cfg.HTTPClient = &http.Client{Transport: transport}
	return llm.OpenAI(openai.NewClientWithConfig(cfg))
}

func adaptHandler(t *testing.T, handler http.HandlerFunc) llm.Completer {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return adapt(t, server.URL+"/v1")
}

func TestOpenAIClientOfTheUsersWorks(t *testing.T) {
	srv := llmtest.New(t, llmtest.Config{})
	answer, err := adapt(t, srv.BaseURL()).Complete(t.Context(), ask("Hello"))
	require.NoError(t, err)
	require.Equal(t, "Hello", answer.Text)
	require.Equal(t, "stop", answer.FinishReason)
	require.Equal(t, "gpt-4o-mini", answer.Model)
	require.Positive(t, answer.Usage.Total)
}

func TestOpenAISendsAWholeConversation(t *testing.T) {
	var body []byte
	client := adaptHandler(t, func(w http.ResponseWriter, r *http.Request) {
		body = must(io.ReadAll(r.Body))
		reply(200, choice(`{"role":"assistant","content":null,"tool_calls":[{"id":"2","type":"function",`+
			`"function":{"name":"now","arguments":"{}"}}]}`, "tool_calls"), "X-Ratelimit-Remaining-Requests", "7")(w, r)
	})
	answer, err := client.Complete(t.Context(), &llm.Call{
		Model: "openai:gpt-4o-mini",
		Messages: []batch.Message{
			batch.SystemMessage("Be brief."),
			{Role: "user", Content: []byte(`[{"type":"text","text":"Look"},{"type":"image_url","image_url":{"url":"http://x/y.png"}}]`)},
			{Role: "assistant", Content: []byte("null"), ToolCalls: []batch.ToolCall{{ID: "1", Name: "now"}}},
			batch.ToolMessage("1", "noon"),
		},
		Tools:          []batch.Tool{{Name: "now", Description: "Tells the time"}},
		ResponseFormat: []byte(`{"type":"json_schema","json_schema":{"name":"x","schema":{"type":"object","title":"T"},"strict":true}}`),
		Params:         map[string]any{"temperature": 0.1, "max_tokens": 5, "stop": []string{"END"}, "seed": 42, "user": nil},
	})
	require.NoError(t, err)
	require.JSONEq(t, `{"model":"gpt-4o-mini","stream":false,"temperature":0.1,"max_tokens":5,"stop":["END"],"seed":42,
		"messages":[{"role":"system","content":"Be brief."},
			{"role":"user","content":[{"type":"text","text":"Look"},{"type":"image_url","image_url":{"url":"http://x/y.png"}}]},
			{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"now","arguments":"{}"}}]},
			{"role":"tool","tool_call_id":"1","content":"noon"}],
		"tools":[{"type":"function","function":{"name":"now","description":"Tells the time","parameters":{"type":"object","properties":{}}}}],
		"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"type":"object","title":"T"},"strict":true}}}`,
		string(body))
	require.Equal(t, []batch.ToolCall{{ID: "2", Type: "function", Name: "now", Arguments: "{}"}}, answer.ToolCalls())
	require.Equal(t, 7, answer.Header.RemainingRequests)
}

func TestOpenAIDropsNothingInSilence(t *testing.T) {
	client := adaptHandler(t, func(http.ResponseWriter, *http.Request) { t.Error("the call was sent") })
	params := func(name string, value any) *llm.Call {
		return &llm.Call{Model: "gpt-4o", Messages: []batch.Message{batch.UserMessage("x")}, Params: map[string]any{name: value}}
	}
	tests := map[string]struct {
		call *llm.Call
		text string
	}{
		"temperature 0":   {params("temperature", 0), `"temperature"`},
		"logprobs false":  {params("logprobs", false), `"logprobs"`},
		"unknown field":   {params("top_k", 5), `"top_k"`},
		"stop as a text":  {params("stop", "END"), `"stop"`},
		"inner field":     {params("prediction", map[string]any{"type": "content", "content": "x", "more": 1}), `"prediction.more"`},
		"empty tool text": {&llm.Call{Model: "gpt-4o", Messages: []batch.Message{batch.ToolMessage("1", "")}}, `"messages[0].content"`},
		"audio":           {&llm.Call{Model: "gpt-4o", Messages: []batch.Message{{Role: "user", Content: []byte(`[{"type":"input_audio","input_audio":{}}]`)}}}, `"messages[0].content[0].input_audio"`},
		"signature":       {&llm.Call{Model: "gpt-4o", Messages: []batch.Message{{Role: "assistant", Content: batch.Text("x"), Extra: map[string]json.RawMessage{"sig": json.RawMessage(`"s"`)}}}}, `"messages[0].sig"`},
		"max_tokens":      {&llm.Call{Model: "gpt-5", Params: map[string]any{"max_tokens": 5}}, "go-openai refuses the request"},
		"stream":          {params("stream", true), "stream"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := client.Complete(t.Context(), test.call)
			e := asError(t, err)
			require.Equal(t, batch.ErrInvalidRequest, e.Kind)
			require.False(t, e.Retryable)
			require.ErrorContains(t, err, test.text)
		})
	}
}

func TestOpenAILeavesTheCallersMessagesAlone(t *testing.T) {
	srv := llmtest.New(t, llmtest.Config{})
	messages := []batch.Message{batch.UserMessage("x"), {Role: "assistant", ToolCalls: []batch.ToolCall{{ID: "1", Name: "f"}}}}
	_, _ = adapt(t, srv.BaseURL()).Complete(t.Context(), &llm.Call{Model: "m", Messages: messages})
	require.Empty(t, messages[1].ToolCalls[0].Arguments)
}

func TestOpenAIClassifiesErrorsWithTheirHeaders(t *testing.T) {
	tests := map[string]struct {
		status    int
		body      string
		kind      batch.ErrorKind
		retryable bool
	}{
		"429":        {429, apiJSON("slow down", "requests", `"rate_limit_exceeded"`), batch.ErrRateLimit, retried},
		"401":        {401, apiJSON("who?", "", `"invalid_api_key"`), batch.ErrAuthentication, final},
		"text":       {429, `{"error":"slow down"}`, batch.ErrRateLimit, retried},
		"HTML":       {502, "<html></html>", batch.ErrServer, retried},
		"no choices": {200, `{"error":{"message":"lost"}}`, batch.ErrServer, retried},
		"no content": {200, choice(`{"content":null}`, "stop"), batch.ErrServer, retried},
		"filtered":   {200, choice(`{"content":"x"}`, "content_filter"), batch.ErrContentFilter, final},
		"empty":      {200, "", batch.ErrServer, retried},
		"no JSON":    {200, "<html></html>", batch.ErrServer, retried},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			client := adaptHandler(t, reply(test.status, test.body, "X-Request-Id", "req_1", "Retry-After", "3"))
			_, err := client.Complete(t.Context(), ask("Hello"))
			e := asError(t, err)
			require.Equal(t, test.kind, e.Kind, err)
			require.Equal(t, test.retryable, e.Retryable)
			require.Equal(t, "req_1", e.RequestID)
			if test.status != 200 {
				require.Equal(t, 3*time.Second, e.RetryAfter)
				require.Equal(t, test.status, e.Status)
			}
		})
	}
}

func TestOpenAICancelledCallSaysWhy(t *testing.T) {
	taken := make(chan struct{}, 1)
	client := adaptHandler(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		taken <- struct{}{}
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	go func() {
		<-taken
		cancel(cause)
	}()
	_, err := client.Complete(ctx, ask("Hello"))
	require.ErrorIs(t, err, batch.ErrCancelled)
	require.ErrorIs(t, err, cause)
}

func TestOpenAIWithoutAClientPanics(t *testing.T) {
	require.PanicsWithValue(t, "gluepipe: OpenAI needs a client", func() { llm.OpenAI(nil) })
}
