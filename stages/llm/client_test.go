package llm_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

const testKey = "sk-test/0123456789abcdef"

// serve starts a server that answers with handler, and returns a client of it.
func serve(t *testing.T, handler http.HandlerFunc) *llm.Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return connect(t, llm.ClientConfig{BaseURL: server.URL + "/v1", APIKey: testKey})
}

func connect(t *testing.T, cfg llm.ClientConfig) *llm.Client {
	t.Helper()
	client, err := llm.NewClient(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return client
}

// reply answers every call with a status, a body and headers in pairs.
func reply(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func ask(text string) *llm.Call {
	return &llm.Call{Model: "openai:gpt-4o-mini", Messages: []batch.Message{batch.UserMessage(text)}}
}

func choice(message, finish string) string {
	return fmt.Sprintf(`{"model":"m","choices":[{"message":%s,"finish_reason":%q}],`+
		`"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}`, message, finish)
}

func TestClientReadsAnAnswer(t *testing.T) {
	client := serve(t, reply(200, `{"model":"gpt-4o-mini-2024","choices":[{"index":0,"message":{"role":"assistant",
		"content":"Hi \u00e9"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7,
		"cost":0.00015}}`, "X-Request-Id", "req_1", "X-Ratelimit-Remaining-Requests", "59", "X-Ratelimit-Reset-Requests", "6s",
		"X-Ratelimit-Limit-Requests", "60", "X-Ratelimit-Remaining-Tokens", "1000", "X-Ratelimit-Reset-Tokens", "120ms"))
	call := ask("Hello")
	call.KeepRaw = true
	answer, err := client.Complete(t.Context(), call)
	require.NoError(t, err)
	require.Equal(t, "Hi é", answer.Text)
	require.Equal(t, "stop", answer.FinishReason)
	require.Equal(t, "gpt-4o-mini-2024", answer.Model)
	require.Equal(t, &batch.TokenUsage{Prompt: 3, Completion: 4, Total: 7}, answer.Usage)
	require.InDelta(t, 0.00015, *answer.CostUSD, 1e-12)
	require.Equal(t, llm.Header{
		LimitRequests: 60, LimitTokens: -1, RemainingRequests: 59, RemainingTokens: 1000, ResetRequests: 6 * time.Second, ResetTokens: 120 * time.Millisecond,
	}, answer.Header)
	require.Equal(t, 200, answer.Raw.Status)
	require.Equal(t, "req_1", answer.Raw.RequestID)
	require.Contains(t, string(answer.Raw.Body), `"gpt-4o-mini-2024"`)
}

func TestClientSendsKeyAndBody(t *testing.T) {
	var got *http.Request
	var body []byte
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got, body = r, must(io.ReadAll(r.Body))
		reply(200, choice(`{"role":"assistant","content":"x"}`, "stop"))(w, r)
	})
	call := ask("Hello")
	call.Params = map[string]any{"temperature": 0, "logprobs": false}
	_, err := client.Complete(t.Context(), call)
	require.NoError(t, err)
	require.Equal(t, "/v1/chat/completions", got.URL.Path)
	require.Equal(t, "Bearer "+testKey, got.Header.Get("Authorization"))
	require.Equal(t, "application/json", got.Header.Get("Content-Type"))
	require.Equal(t, int64(len(body)), got.ContentLength)
	require.Equal(t,
		`{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Hello"}],"logprobs":false,"temperature":0}`, string(body))
}

func TestClientSendsAzureItsKeyInAHeaderOfItsOwn(t *testing.T) {
	var got *http.Request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		reply(200, choice(`{"content":"x"}`, "stop"))(w, r)
	}))
	defer server.Close()
	azure, err := llm.LookupProvider("azure")
	require.NoError(t, err)
	client := connect(t, llm.ClientConfig{Provider: azure, BaseURL: server.URL + "/openai/v1?api-version=preview", APIKey: testKey})
	_, err = client.Complete(t.Context(), ask("Hello"))
	require.NoError(t, err)
	require.Equal(t, testKey, got.Header.Get("Api-Key"))
	require.Empty(t, got.Header.Get("Authorization"))
	require.Equal(t, "/openai/v1/chat/completions?api-version=preview", got.URL.String())
}

func TestMessageWithToolCallsIsKeptAsItCame(t *testing.T) {
	message := `{"role":"assistant","content":null,"reasoning_content":"hm","tool_calls":[{"id":"c1","type":"function",` +
		`"function":{"name":"now","arguments":"{}"},"extra_content":{"google":{"thought_signature":"c2ln"}}}]}`
	client := serve(t, reply(200, choice(message, "tool_calls")))
	answer, err := client.Complete(t.Context(), ask("What time is it?"))
	require.NoError(t, err)
	require.Len(t, answer.ToolCalls(), 1)
	sent, err := llm.AppendBody(nil, &llm.Call{Model: "m", Messages: []batch.Message{answer.Message}})
	require.NoError(t, err)
	require.JSONEq(t, `{"model":"m","messages":[`+message+`]}`, string(sent))
}

func TestAnswersOfManyShapesAreRead(t *testing.T) {
	tests := map[string]struct {
		body          string
		text, refusal string
		arguments     []string
	}{
		"text":                    {body: choice(`{"content":"Hi"}`, "stop"), text: "Hi"},
		"empty text":              {body: choice(`{"content":""}`, "stop")},
		"parts":                   {body: choice(`{"content":[{"type":"thinking"},{"type":"text","text":"Hi"}]}`, "stop"), text: "Hi"},
		"blank lines before":      {body: "\n\n \r\n" + choice(`{"content":"Hi"}`, "stop"), text: "Hi"},
		"refusal":                 {body: choice(`{"content":null,"refusal":"No."}`, "stop"), refusal: "No."},
		"all reasoning":           {body: choice(`{"content":null,"reasoning":"hm"}`, "length")},
		"null error":              {body: `{"error":null,"choices":[{"message":{"content":"Hi"}}]}`, text: "Hi"},
		"null usage":              {body: `{"usage":null,"choices":[{"message":{"content":"Hi"},"finish_reason":null}]}`, text: "Hi"},
		"usage that isn't one":    {body: `{"usage":{"prompt_tokens":"x","cost":{}},"choices":[{"message":{"content":"Hi"}}]}`, text: "Hi"},
		"null arguments":          {body: choice(`{"tool_calls":[{"id":"1","function":{"name":"f","arguments":null}}]}`, "stop"), arguments: []string{""}},
		"missing arguments":       {body: choice(`{"tool_calls":[{"id":"1","function":{"name":"f"}}]}`, "stop"), arguments: []string{""}},
		"arguments as an object":  {body: choice(`{"tool_calls":[{"id":"1","function":{"name":"f","arguments":{"a":1}}}]}`, "stop"), arguments: []string{`{"a":1}`}},
		"two calls":               {body: choice(`{"tool_calls":[{"id":"1","function":{"name":"f","arguments":"1"}},{"id":"2","function":{"name":"g","arguments":"2"}}]}`, "stop"), arguments: []string{"1", "2"}},
		"a call of the old shape": {body: choice(`{"content":null,"function_call":{"name":"f"}}`, "function_call")},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			answer, err := serve(t, reply(200, test.body)).Complete(t.Context(), ask("Hello"))
			require.NoError(t, err)
			require.Equal(t, test.text, answer.Text)
			require.Equal(t, test.refusal, answer.Refusal)
			require.Equal(t, "assistant", answer.Message.Role)
			require.Len(t, answer.ToolCalls(), len(test.arguments))
			for i, arguments := range test.arguments {
				require.Equal(t, arguments, answer.ToolCalls()[i].Arguments)
			}
		})
	}
}

// connections counts the connections that a server accepts.
func connections(handler http.Handler) (*httptest.Server, *atomic.Int64) {
	var n atomic.Int64
	server := httptest.NewUnstartedServer(handler)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			n.Add(1)
		}
	}
	server.Start()
	return server, &n
}

func TestConnectionsAreUsedAgainAt64CallsAtOnce(t *testing.T) {
	overEachTransport(t, func(t *testing.T, newDoer func() doer) {
		const workers, calls = 64, 20
		var barrier sync.WaitGroup
		barrier.Add(workers)
		var arrived atomic.Int64
		server, n := connections(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if arrived.Add(1) <= workers { // all 64 are in flight before the first is answered
				barrier.Done()
				barrier.Wait()
			}
			reply(200, choice(`{"content":"Hi"}`, "stop"))(w, r)
		}))
		defer server.Close()
		doer := newDoer()
		defer doer.CloseIdleConnections()
		client := connect(t, llm.ClientConfig{BaseURL: server.URL, HTTPClient: doer})
		var group sync.WaitGroup
		for range workers {
			group.Go(func() {
				for range calls {
					_, err := client.Complete(t.Context(), ask("Hello"))
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
		// net/http may dial for a call that then finds an idle connection first.
		require.LessOrEqual(t, n.Load(), int64(workers+workers/4))
	})
}

// tattler tells when the first bytes of an answer's body have been read.
type tattler struct {
	doer
	read chan struct{}
}

func (d tattler) Do(req *http.Request) (*http.Response, error) {
	resp, err := d.doer.Do(req)
	if err == nil {
		resp.Body = &tattlingBody{resp.Body, d.read}
	}
	return resp, err
}

type tattlingBody struct {
	io.ReadCloser
	read chan struct{}
}

func (b *tattlingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.read <- struct{}{}
	}
	return n, err
}

func TestChunkedAnswerWithALateLastChunkKeepsTheConnection(t *testing.T) {
	overEachTransport(t, func(t *testing.T, newDoer func() doer) {
		read := make(chan struct{}, 10)
		server, n := connections(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			reply(200, choice(`{"content":"Hi"}`, "stop"))(w, r)
			_ = http.NewResponseController(w).Flush()
			<-read
		}))
		defer server.Close()
		doer := newDoer()
		defer doer.CloseIdleConnections()
		client := connect(t, llm.ClientConfig{BaseURL: server.URL, HTTPClient: tattler{doer, read}})
		for range 10 {
			_, err := client.Complete(t.Context(), ask("Hello"))
			require.NoError(t, err)
		}
		require.Equal(t, int64(1), n.Load())
	})
}

func TestErrorAnswersKeepTheConnection(t *testing.T) {
	overEachTransport(t, func(t *testing.T, newDoer func() doer) {
		server, n := connections(reply(500, strings.Repeat("x", 100_000)))
		defer server.Close()
		doer := newDoer()
		defer doer.CloseIdleConnections()
		client := connect(t, llm.ClientConfig{BaseURL: server.URL, HTTPClient: doer})
		for range 10 {
			_, err := client.Complete(t.Context(), ask("Hello"))
			require.ErrorIs(t, err, batch.ErrServer)
		}
		require.Equal(t, int64(1), n.Load())
	})
}

func TestAnswerOverTheLimitIsNotRetried(t *testing.T) {
	server := httptest.NewServer(reply(200, choice(`{"content":"`+strings.Repeat("x", 5000)+`"}`, "stop")))
	defer server.Close()
	client := connect(t, llm.ClientConfig{BaseURL: server.URL, MaxResponseBytes: 4096})
	_, err := client.Complete(t.Context(), ask("Hello"))
	e := asError(t, err)
	require.Equal(t, batch.ErrServer, e.Kind)
	require.False(t, e.Retryable)
	require.EqualError(t, err, "the answer is larger than 4096 bytes: ask for less, or raise MaxResponseBytes")
}

func TestBodyThatNeverEndsStopsAtTheLimit(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := io.WriteString(w, strings.Repeat(" ", 4096)); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	client := connect(t, llm.ClientConfig{BaseURL: server.URL, MaxResponseBytes: 1 << 20})
	_, err := client.Complete(t.Context(), ask("Hello"))
	require.ErrorContains(t, err, "larger than 1048576 bytes")
}

func TestAnswersDontShareTheirMemory(t *testing.T) {
	srv := llmtest.New(t, llmtest.Config{})
	client := connect(t, llm.ClientConfig{BaseURL: srv.BaseURL()})
	var group sync.WaitGroup
	for w := range 8 {
		group.Go(func() {
			for i := range 50 {
				text := fmt.Sprintf("worker %d, call %d", w, i)
				call := ask(text)
				call.KeepRaw = true
				first, err := client.Complete(context.Background(), call)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := client.Complete(context.Background(), ask(strings.Repeat("z", 60))); err != nil {
					t.Error(err)
				}
				if first.Text != text || string(first.Message.Content) != `"`+text+`"` || !strings.Contains(string(first.Raw.Body), text) {
					t.Errorf("want %q, got %q, %s and %s", text, first.Text, first.Message.Content, first.Raw.Body)
				}
			}
		})
	}
	group.Wait()
}

func TestNewClientSaysWhatIsMissing(t *testing.T) {
	lookup := func(name string) llm.Provider { return must(llm.LookupProvider(name)) }
	tests := map[string]struct {
		cfg  llm.ClientConfig
		kind batch.ErrorKind
		text string
	}{
		"no key":          {llm.ClientConfig{}, batch.ErrAuthentication, "provider openai needs an API key: set OPENAI_API_KEY"},
		"no azure URL":    {llm.ClientConfig{Provider: lookup("azure"), APIKey: "k"}, batch.ErrInvalidRequest, "provider azure has no address of its own: set the base URL, or AZURE_OPENAI_ENDPOINT"},
		"no mock URL":     {llm.ClientConfig{Provider: lookup("mock")}, batch.ErrInvalidRequest, "provider mock has no address of its own: set the base URL"},
		"no URL":          {llm.ClientConfig{BaseURL: "localhost:8080"}, batch.ErrInvalidRequest, "the base URL is no URL: want one like https://api.openai.com/v1"},
		"key of two rows": {llm.ClientConfig{APIKey: "sk-1\nsk-2"}, batch.ErrAuthentication, "the API key holds a space, a line break or another character that no key has"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := llm.NewClient(test.cfg)
			require.ErrorIs(t, err, test.kind)
			require.EqualError(t, err, test.text)
		})
	}
}

func TestLocalProviderNeedsNoKey(t *testing.T) {
	connect(t, llm.ClientConfig{Provider: must(llm.LookupProvider("ollama"))})
}

func TestModelKeepsAPrefixThatIsNotTheClientsProvider(t *testing.T) {
	client := connect(t, llm.ClientConfig{Provider: must(llm.LookupProvider("ollama"))})
	for name, want := range map[string]string{"ollama:mistral:7b": "mistral:7b", "mistral:7b": "mistral:7b", "llama3:8b": "llama3:8b"} {
		body, err := client.AppendBody(nil, &llm.Call{Model: name})
		require.NoError(t, err)
		var got struct{ Model string }
		require.NoError(t, json.Unmarshal(body, &got))
		require.Equal(t, want, got.Model)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
