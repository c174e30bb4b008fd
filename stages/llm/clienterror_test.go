package llm_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sashabaranov/go-openai"
	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

func asError(t *testing.T, err error) *llm.Error {
	t.Helper()
	var e *llm.Error
	require.ErrorAs(t, err, &e)
	require.ErrorIs(t, err, e.Kind)
	return e
}

func apiJSON(message, kind, code string) string {
	return fmt.Sprintf(`{"error":{"message":%q,"type":%q,"param":null,"code":%s}}`, message, kind, code)
}

const retried, final = true, false

func TestErrorsAreClassifiedByStatusAndCode(t *testing.T) {
	tests := map[string]struct {
		status    int
		body      string
		kind      batch.ErrorKind
		retryable bool
		text      string
	}{
		"400":              {400, apiJSON("bad", "invalid_request_error", "null"), batch.ErrInvalidRequest, final, "400 Bad Request: bad (code invalid_request_error)"},
		"401":              {401, apiJSON("who?", "invalid_request_error", `"invalid_api_key"`), batch.ErrAuthentication, final, "401 Unauthorized: who? (code invalid_api_key)"},
		"402":              {402, apiJSON("Insufficient Balance", "unknown_error", "null"), batch.ErrQuotaExceeded, final, "402 Payment Required: Insufficient Balance (code unknown_error)"},
		"403":              {403, `{"error":{"code":403,"message":"flagged"}}`, batch.ErrAuthentication, final, "403 Forbidden: flagged"},
		"404":              {404, apiJSON("no model", "invalid_request_error", `"model_not_found"`), batch.ErrInvalidRequest, final, "404 Not Found: no model (code model_not_found)"},
		"408":              {408, "", batch.ErrAPITimeout, retried, "408 Request Timeout"},
		"409":              {409, "", batch.ErrInvalidRequest, retried, "409 Conflict"},
		"413":              {413, "", batch.ErrInvalidRequest, final, "413 Request Entity Too Large"},
		"422":              {422, `{"detail":[{"loc":["body"],"msg":"field required"}]}`, batch.ErrInvalidRequest, final, `422 Unprocessable Entity: [{"loc":["body"],"msg":"field required"}]`},
		"429":              {429, apiJSON("Rate limit reached for gpt", "requests", `"rate_limit_exceeded"`), batch.ErrRateLimit, retried, "429 Too Many Requests: Rate limit reached for gpt (code rate_limit_exceeded)"},
		"429 quota":        {429, apiJSON("You exceeded your quota", "insufficient_quota", `"insufficient_quota"`), batch.ErrQuotaExceeded, final, "429 Too Many Requests: You exceeded your quota (code insufficient_quota)"},
		"429 quota type":   {429, apiJSON("limit", "insufficient_quota", `"project_spend_limit_exceeded"`), batch.ErrQuotaExceeded, final, "429 Too Many Requests: limit (code project_spend_limit_exceeded)"},
		"400 billing":      {400, apiJSON("limit", "", `"billing_hard_limit_reached"`), batch.ErrQuotaExceeded, final, "400 Bad Request: limit (code billing_hard_limit_reached)"},
		"429 quota's text": {429, apiJSON("insufficient_quota", "requests", "null"), batch.ErrRateLimit, retried, "429 Too Many Requests: insufficient_quota (code requests)"},
		"400 context":      {400, apiJSON("too long", "invalid_request_error", `"context_length_exceeded"`), batch.ErrTokenLimit, final, "400 Bad Request: too long (code context_length_exceeded)"},
		"llama.cpp":        {400, `{"error":{"code":400,"message":"too long","type":"exceed_context_size_error","n_ctx":8}}`, batch.ErrTokenLimit, final, "400 Bad Request: too long (code exceed_context_size_error)"},
		"azure filter":     {400, `{"error":{"message":"filtered","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation","content_filter_result":{}}}}`, batch.ErrContentFilter, final, "400 Bad Request: filtered (code content_filter, ResponsibleAIPolicyViolation)"},
		"azure inner":      {400, `{"error":{"message":"filtered","code":"BadRequest","innererror":{"code":"ResponsibleAIPolicyViolation"}}}`, batch.ErrContentFilter, final, "400 Bad Request: filtered (code BadRequest, ResponsibleAIPolicyViolation)"},
		"500":              {500, apiJSON("oops", "server_error", "null"), batch.ErrServer, retried, "500 Internal Server Error: oops (code server_error)"},
		"502 HTML":         {502, "<html><head><title>502 Bad\nGateway</title></head><body><h1>nginx</h1></body></html>", batch.ErrServer, retried, "502 Bad Gateway: 502 Bad Gateway"},
		"503 HTML":         {503, "<html><style>p{}</style><body><p>Down for\n maintenance &amp; tea</p></body></html>", batch.ErrServer, retried, "503 Service Unavailable: Down for maintenance & tea"},
		"529":              {529, `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`, batch.ErrServer, retried, "529: Overloaded (code overloaded_error)"},
		"error as a text":  {400, `{"code":"Client specified an invalid argument","error":"no such model"}`, batch.ErrInvalidRequest, final, "400 Bad Request: no such model (code Client specified an invalid argument)"},
		"vllm":             {400, `{"object":"error","message":"bad","type":"BadRequestError","param":null,"code":400}`, batch.ErrInvalidRequest, final, "400 Bad Request: bad (code BadRequestError)"},
		"gemini":           {429, `[{"error":{"code":429,"message":"slow down","status":"RESOURCE_EXHAUSTED"}}]`, batch.ErrRateLimit, retried, "429 Too Many Requests: slow down (code RESOURCE_EXHAUSTED)"},
		"redirect":         {307, "", batch.ErrInvalidRequest, final, "307 Temporary Redirect: redirects are not followed: set the base URL to where the server is"},

		"200 empty":           {200, " \n", batch.ErrServer, retried, "200 OK: the answer is empty"},
		"200 HTML":            {200, "<html><title>Sign in</title></html>", batch.ErrServer, retried, "200 OK: the answer is not JSON: Sign in"},
		"200 no choices":      {200, `{"choices":[]}`, batch.ErrServer, retried, "200 OK: the answer has no choices"},
		"200 null":            {200, `null`, batch.ErrServer, retried, "200 OK: the answer has no choices"},
		"200 array":           {200, `[]`, batch.ErrServer, retried, "200 OK: the answer is JSON, but no chat completion"},
		"200 ends early":      {200, `{"choices":[{"message":{"content":"secret`, batch.ErrServer, retried, "200 OK: the answer's JSON ends early, after 41 bytes"},
		"200 broken":          {200, `{"choices":x}`, batch.ErrServer, retried, "200 OK: the answer's JSON is broken"},
		"200 wrong type":      {200, `{"choices":"secret"}`, batch.ErrServer, retried, `200 OK: the answer is no chat completion: field "choices" has a wrong type`},
		"200 null content":    {200, choice(`{"content":null}`, "stop"), batch.ErrServer, retried, `the answer has no content (finish_reason "stop")`},
		"200 no tool calls":   {200, choice(`{"content":null,"tool_calls":[]}`, "tool_calls"), batch.ErrServer, retried, `the answer has no content (finish_reason "tool_calls")`},
		"200 odd content":     {200, choice(`{"content":7}`, "stop"), batch.ErrServer, retried, "the answer's content is neither a text nor a list of parts"},
		"200 filtered":        {200, choice(`{"content":"half"}`, "content_filter"), batch.ErrContentFilter, final, "the provider filtered the answer (finish_reason content_filter)"},
		"200 error":           {200, apiJSON("oops", "", "null"), batch.ErrServer, retried, "200 OK with an error: oops"},
		"200 error as a text": {200, `{"error":"oops"}`, batch.ErrServer, retried, "200 OK with an error: oops"},
		"200 error 429":       {200, `{"error":{"code":429,"message":"slow down"}}`, batch.ErrRateLimit, retried, "429 Too Many Requests: slow down"},
		"200 error by code":   {200, apiJSON("none left", "x", `"insufficient_quota"`), batch.ErrQuotaExceeded, final, "200 OK with an error: none left (code insufficient_quota)"},
		"200 error by type":   {200, apiJSON("bad", "invalid_request_error", "null"), batch.ErrInvalidRequest, final, "200 OK with an error: bad (code invalid_request_error)"},
		"200 error, choices":  {200, `{"error":{"code":502,"message":"gone"},"choices":[{"message":{"content":"half"}}]}`, batch.ErrServer, retried, "502 Bad Gateway: gone"},
		"200 error on top":    {200, `{"object":"error","message":"bad","type":"InternalServerError","code":500}`, batch.ErrServer, retried, "500 Internal Server Error: bad (code InternalServerError)"},
		"200 error in choice": {200, `{"choices":[{"finish_reason":"error","error":{"code":502,"message":"gone"},"message":{"content":"half"}}]}`, batch.ErrServer, retried, "502 Bad Gateway: gone"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			call := ask("Hello")
			call.KeepRaw = true
			_, err := serve(t, reply(test.status, test.body, "X-Request-Id", "req_1")).Complete(t.Context(), call)
			e := asError(t, err)
			require.EqualError(t, err, test.text)
			require.Equal(t, test.kind, e.Kind)
			require.Equal(t, test.retryable, e.Retryable)
			require.Equal(t, "req_1", e.RequestID)
			require.Equal(t, -1, e.Header.RemainingRequests)
			require.Equal(t, test.body, string(e.Raw.Body))
			require.Equal(t, test.status, e.Raw.Status)
			if strings.HasPrefix(test.body, `{"error":{"message`) && test.status >= 400 {
				var api *openai.APIError
				require.ErrorAs(t, err, &api)
				require.Equal(t, test.status, api.HTTPStatusCode)
				require.NotEmpty(t, api.Message)
			}
		})
	}
}

func TestAnswersOfNoUseKeepTheirUsage(t *testing.T) {
	for name, body := range map[string]string{
		"filtered":     `{"choices":[{"message":{"content":""},"finish_reason":"content_filter"}],`,
		"no choices":   `{"choices":[],`,
		"error inside": `{"error":{"message":"oops"},`,
	} {
		body += `"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7,"cost":0.5}}`
		_, err := serve(t, reply(200, body)).Complete(t.Context(), ask("Hello"))
		require.Equal(t, &batch.TokenUsage{Prompt: 3, Completion: 4, Total: 7}, asError(t, err).Usage, name)
		require.Equal(t, new(0.5), asError(t, err).CostUSD, name)
	}
}

func TestRetryAfterIsWhatTheAnswerDemands(t *testing.T) {
	tests := map[string]struct {
		status int
		body   string
		header []string
		want   time.Duration
	}{
		"seconds":             {503, "", []string{"Retry-After", "20"}, 20 * time.Second},
		"milliseconds":        {429, "", []string{"Retry-After-Ms", "1500", "Retry-After", "1"}, 1500 * time.Millisecond},
		"rounded seconds":     {429, "", []string{"Retry-After-Ms", "120", "Retry-After", "1"}, 120 * time.Millisecond},
		"other seconds":       {429, "", []string{"Retry-After-Ms", "120", "Retry-After", "20"}, 20 * time.Second},
		"reset of requests":   {429, "", []string{"X-Ratelimit-Remaining-Requests", "0", "X-Ratelimit-Reset-Requests", "6m0s"}, 6 * time.Minute},
		"reset, last resort":  {429, "", []string{"Retry-After", "1", "X-Ratelimit-Remaining-Requests", "0", "X-Ratelimit-Reset-Requests", "6m0s"}, time.Second},
		"reset of tokens":     {429, "", []string{"X-Ratelimit-Remaining-Tokens", "0", "X-Ratelimit-Reset-Tokens", "120ms"}, 120 * time.Millisecond},
		"reset that is not":   {429, "", []string{"X-Ratelimit-Remaining-Tokens", "7", "X-Ratelimit-Reset-Tokens", "6m0s"}, 0},
		"reset of a 503":      {503, "", []string{"X-Ratelimit-Remaining-Tokens", "0", "X-Ratelimit-Reset-Tokens", "6m0s"}, 0},
		"in the body":         {429, `{"error":{"code":429,"message":"x","details":[{"@type":"y"},{"retryDelay":"34s"}]}}`, nil, 34 * time.Second},
		"429 inside a 200":    {200, `{"error":{"code":429,"message":"x"}}`, []string{"Retry-After", "3"}, 3 * time.Second},
		"nonsense":            {429, "", []string{"Retry-After", "soon"}, 0},
		"more than a century": {429, "", []string{"Retry-After", "99999999999999999999"}, 24 * time.Hour},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := serve(t, reply(test.status, test.body, test.header...)).Complete(t.Context(), ask("Hello"))
			require.Equal(t, test.want, asError(t, err).RetryAfter)
		})
	}
}

func TestKeyStandsInNoErrorThatRepeatsIt(t *testing.T) {
	echo := "Incorrect API key provided: " + testKey
	bodies := map[string]struct {
		status int
		body   string
	}{
		"message":        {401, apiJSON(echo, testKey, `"`+testKey+`"`)},
		"escaped":        {401, strings.ReplaceAll(apiJSON(echo, "", "null"), "/", `\/`)},
		"HTML":           {502, "<html><title>" + echo + "</title></html>"},
		"text":           {500, echo},
		"200 text":       {200, echo},
		"200 error":      {200, apiJSON(echo, "", "null")},
		"200 in choice":  {200, `{"choices":[{"error":{"message":"` + echo + `"}}]}`},
		"200 no choices": {200, `{"id":"` + testKey + `"}`},
	}
	for name, test := range bodies {
		t.Run(name, func(t *testing.T) {
			call := ask("Hello")
			call.KeepRaw = true
			_, err := serve(t, reply(test.status, test.body)).Complete(t.Context(), call)
			e := asError(t, err)
			requireNoKey(t, err)
			require.NotContains(t, string(e.Raw.Body), testKey)
			require.NotContains(t, strings.ReplaceAll(string(e.Raw.Body), `\/`, "/"), testKey)
			require.NotContains(t, e.Code, testKey)
		})
	}
}

func TestKeyStandsInNoErrorThatEscapesIt(t *testing.T) {
	echo := strings.ReplaceAll(testKey, "-", `\u002d`)
	for _, status := range []int{200, 401} {
		body := `{"error":{"message":"` + echo + `","type":"` + echo + `","code":"` + echo + `","param":"` + echo + `"}}`
		_, err := serve(t, reply(status, body)).Complete(t.Context(), ask("Hello"))
		requireNoKey(t, err)
		require.NotContains(t, asError(t, err).Code, testKey)
	}
}

// requireNoKey looks at every error in the chain, however it is printed.
func requireNoKey(t *testing.T, err error) {
	t.Helper()
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), testKey)
	if api, ok := errors.AsType[*openai.APIError](err); ok {
		require.NotContains(t, fmt.Sprintf("%v %+v %#v", api, *api, *api), testKey)
	}
}

func TestKeyInTheURLStandsInNoError(t *testing.T) {
	client := connect(t, llm.ClientConfig{BaseURL: "http://127.0.0.1:1/v1?key=" + testKey, APIKey: testKey})
	_, err := client.Complete(t.Context(), ask("Hello"))
	require.ErrorIs(t, err, batch.ErrAPIConnection)
	requireNoKey(t, err)
	require.ErrorContains(t, err, "POST http://127.0.0.1:1/v1/chat/completions: dial tcp 127.0.0.1:1")
}

func TestRedirectIsNotFollowed(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the redirect was followed")
	}))
	defer elsewhere.Close()
	redirect := reply(307, "", "Location", elsewhere.URL+"/v2/chat/completions?token=x")
	server := httptest.NewServer(redirect)
	defer server.Close()
	for name, doer := range map[string]openai.HTTPDoer{"own": nil, "given": server.Client()} {
		t.Run(name, func(t *testing.T) {
			client := connect(t, llm.ClientConfig{BaseURL: server.URL, APIKey: testKey, HTTPClient: doer})
			_, err := client.Complete(t.Context(), ask("Hello"))
			e := asError(t, err)
			require.Equal(t, batch.ErrInvalidRequest, e.Kind)
			require.False(t, e.Retryable)
			require.EqualError(t, err, "307 Temporary Redirect: redirects are not followed: it leads to "+
				elsewhere.URL+"/v2/chat/completions: set the base URL to match")
		})
	}
}

func TestBrokenConnectionsAreRetried(t *testing.T) {
	overEachTransport(t, func(t *testing.T, newDoer func() doer) {
		refused, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		require.NoError(t, refused.Close())
		hijack := func(act func(net.Conn)) *httptest.Server {
			return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				act(conn)
				_ = conn.Close()
			}))
		}
		reset := hijack(func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) })
		cut := hijack(func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"choices\":")
		})
		chunk := hijack(func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"cho\r\n")
		})
		noise := hijack(func(c net.Conn) { _, _ = io.WriteString(c, "SSH-2.0-OpenSSH\r\n\r\n") })
		for _, server := range []*httptest.Server{reset, cut, chunk, noise} {
			defer server.Close()
		}
		for name, url := range map[string]string{
			"refused": "http://" + refused.Addr().String(), "DNS": "http://no-such-host.invalid", "reset": reset.URL,
			"body cut off": cut.URL, "chunks cut off": chunk.URL, "not HTTP": noise.URL,
			"no TLS": strings.Replace(cut.URL, "http:", "https:", 1),
		} {
			t.Run(name, func(t *testing.T) {
				client := connect(t, llm.ClientConfig{BaseURL: url, HTTPClient: newDoer()})
				_, err := client.Complete(t.Context(), ask("Hello"))
				e := asError(t, err)
				require.Equal(t, batch.ErrAPIConnection, e.Kind, err)
				require.True(t, e.Retryable)
				require.Zero(t, e.Status)
			})
		}
	})
}

func TestCertificateThatCantBeVerifiedIsNotRetried(t *testing.T) {
	server := httptest.NewUnstartedServer(reply(200, ""))
	server.Config.ErrorLog = discardLog
	server.StartTLS()
	defer server.Close()
	_, err := connect(t, llm.ClientConfig{BaseURL: server.URL}).Complete(t.Context(), ask("Hello"))
	e := asError(t, err)
	require.Equal(t, batch.ErrAPIConnection, e.Kind)
	require.False(t, e.Retryable)
	require.True(t, e.Fatal, "no other call can succeed")
	var authority x509.UnknownAuthorityError
	require.ErrorAs(t, err, &authority)
}

// hanging returns a client of a server that takes a call, says so, and answers no further than start.
func hanging(t *testing.T, d doer, start string) (client *llm.Client, taken <-chan struct{}) {
	t.Helper()
	calls := make(chan struct{}, 1)
	client = serveOver(t, d, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, start)
		_ = http.NewResponseController(w).Flush()
		calls <- struct{}{}
		<-r.Context().Done()
	}))
	return client, calls
}

func TestCancelledCallSaysWhy(t *testing.T) {
	overEachTransport(t, func(t *testing.T, newDoer func() doer) {
		for name, start := range map[string]string{"before the answer": "", "mid-body": `{"choices":`} {
			t.Run(name, func(t *testing.T) {
				client, taken := hanging(t, newDoer(), start)
				ctx, cancel := context.WithCancelCause(t.Context())
				cause := errors.New("another request failed")
				go func() {
					<-taken
					cancel(cause)
				}()
				_, err := client.Complete(ctx, ask("Hello"))
				e := asError(t, err)
				require.Equal(t, batch.ErrCancelled, e.Kind)
				require.False(t, e.Retryable)
				require.ErrorIs(t, err, cause)
			})
		}
	})
}

func TestDeadlineOfTheCallIsATimeout(t *testing.T) {
	overEachTransport(t, func(t *testing.T, newDoer func() doer) {
		for name, start := range map[string]string{"before the answer": "", "mid-body": `{"choices":`} {
			t.Run(name, func(t *testing.T) {
				client, _ := hanging(t, newDoer(), start)
				ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
				defer cancel()
				_, err := client.Complete(ctx, ask("Hello"))
				e := asError(t, err)
				require.Equal(t, batch.ErrAPITimeout, e.Kind)
				require.True(t, e.Retryable)
				require.ErrorIs(t, err, context.DeadlineExceeded)
			})
		}
	})
}

func TestDeadlineOfTheRunIsNoTimeout(t *testing.T) {
	overEachTransport(t, func(t *testing.T, newDoer func() doer) {
		client, _ := hanging(t, newDoer(), "")
		cause := batch.ErrCancelled.Errorf("deadline of the run")
		ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, cause)
		defer cancel()
		_, err := client.Complete(ctx, ask("Hello"))
		require.Equal(t, batch.ErrCancelled, asError(t, err).Kind)
	})
}

func TestTimeoutOfTheHTTPClientIsATimeout(t *testing.T) {
	srv := llmtest.New(t, llmtest.Config{Latency: time.Hour})
	doer := &http.Client{Timeout: 50 * time.Millisecond, Transport: llm.NewTransport(0)}
	defer doer.CloseIdleConnections()
	_, err := connect(t, llm.ClientConfig{BaseURL: srv.BaseURL(), HTTPClient: doer}).Complete(t.Context(), ask("Hello"))
	e := asError(t, err)
	require.Equal(t, batch.ErrAPITimeout, e.Kind)
	require.True(t, e.Retryable)
}

var discardLog = log.New(io.Discard, "", 0)
