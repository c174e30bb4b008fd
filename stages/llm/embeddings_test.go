package llm_test

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

func embed(input string) *llm.Call {
	return &llm.Call{Model: "openai:text-embedding-3-small", Input: json.RawMessage(input)}
}

func inBase64(numbers ...float32) string {
	raw := make([]byte, 0, 4*len(numbers))
	for _, n := range numbers {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(n))
	}
	return `"` + base64.StdEncoding.EncodeToString(raw) + `"`
}

func TestACallWithAnInputAsksForEmbeddings(t *testing.T) {
	var path string
	var body []byte
	const answered = `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.25, -1e-3,1]}],
		"model":"text-embedding-3-small","usage":{"prompt_tokens":5,"total_tokens":5}}`
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		path, body = r.URL.Path, must(io.ReadAll(r.Body))
		reply(200, answered, "X-Ratelimit-Remaining-Requests", "7")(w, r)
	})
	call := embed(`"Hello <you>"`)
	call.KeepRaw = true
	call.Params = map[string]any{"dimensions": json.RawMessage("3")}
	call.Messages, call.Tools, call.ResponseFormat = ask("no").Messages, []batch.Tool{{Name: "no"}}, []byte(`{}`)
	answer, err := client.Complete(t.Context(), call)
	require.NoError(t, err)
	require.Equal(t, "/v1/embeddings", path)
	require.Equal(t, `{"model":"text-embedding-3-small","input":"Hello <you>","dimensions":3}`, string(body))
	require.Equal(t, [][]float32{{0.25, -1e-3, 1}}, answer.Embeddings)
	require.Equal(t, &batch.TokenUsage{Prompt: 5, Total: 5}, answer.Usage)
	require.Equal(t, "text-embedding-3-small", answer.Model)
	require.Equal(t, 7, answer.Header.RemainingRequests)
	require.Equal(t, answered, string(answer.Raw.Body))
}

func TestEmbeddingsStandInTheOrderOfTheirInputsInEitherForm(t *testing.T) {
	for name, data := range map[string]string{
		"as lists":            `{"index":1,"embedding":[3,4]},{"index":0,"embedding":[1,2]}`,
		"as base64":           `{"index":1,"embedding":` + inBase64(3, 4) + `},{"index":0,"embedding":` + inBase64(1, 2) + `}`,
		"without their index": `{"embedding":[1,2]},{"embedding":[3,4]}`,
	} {
		t.Run(name, func(t *testing.T) {
			answer, err := serve(t, reply(200, `{"data":[`+data+`]}`)).Complete(t.Context(), embed(`["a","b"]`))
			require.NoError(t, err)
			require.Equal(t, [][]float32{{1, 2}, {3, 4}}, answer.Embeddings)
			require.Nil(t, answer.Usage)
		})
	}
}

func TestEmbeddingsThatAreNoneAreAnErrorOfTheServer(t *testing.T) {
	one := func(embedding string) string {
		return `{"data":[{"index":0,"embedding":` + embedding + `}],"usage":{"prompt_tokens":2}}`
	}
	for body, want := range map[string]string{
		``:                                       "200 OK: the answer is empty",
		`{}`:                                     "200 OK: the answer has no embeddings",
		`[]`:                                     "200 OK: the answer is JSON, but no list of embeddings",
		`{"data":[]}`:                            "200 OK: the answer has no embeddings",
		`{"data":"x"}`:                           `200 OK: the answer is no list of embeddings: field "data" has a wrong type`,
		`{"data":[{"embedding":[1]}`:             "200 OK: the answer's JSON ends early",
		one(`[]`):                                "200 OK: the answer has an embedding without numbers",
		one(`null`):                              "200 OK: the answer has an embedding without numbers",
		one(`[1,null]`):                          "200 OK: an embedding of the answer is neither a list of numbers nor the base64 of one",
		one(`[1,"2"]`):                           "neither a list of numbers nor the base64 of one",
		one(`[[1],[2]]`):                         "neither a list of numbers nor the base64 of one",
		one(`[1e99]`):                            "neither a list of numbers nor the base64 of one",
		one(`"????"`):                            "neither a list of numbers nor the base64 of one",
		one(`"AAA="`):                            "neither a list of numbers nor the base64 of one",
		one(inBase64(float32(math.NaN()))):       "neither a list of numbers nor the base64 of one",
		one(`true`):                              "neither a list of numbers nor the base64 of one",
		`{"data":[{"index":1,"embedding":[1]}]}`: "200 OK: the answer's embeddings are numbered wrong",
		`{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]}`:    "another number of embeddings than there are inputs",
		`{"choices":[{"message":{"content":"Hi"}}],"usage":{"total_tokens":9}}`: "200 OK: the answer has no embeddings",
	} {
		t.Run(body, func(t *testing.T) {
			call := embed(`"a"`)
			call.KeepRaw = true
			_, err := serve(t, reply(200, body)).Complete(t.Context(), call)
			e, ok := errors.AsType[*llm.Error](err)
			require.True(t, ok)
			require.Equal(t, batch.ErrServer, e.Kind)
			require.ErrorContains(t, err, want)
			require.True(t, e.Retryable)
			require.Equal(t, body, string(e.Raw.Body))
			if strings.HasPrefix(body, `{"data":[{"index":0,"embedding":[]`) {
				require.EqualValues(t, 2, e.Usage.Total, "it was counted")
			}
		})
	}
}

func TestErrorsOfEmbeddingsAreClassifiedAsThoseOfChats(t *testing.T) {
	for _, test := range []struct {
		status int
		body   string
		kind   batch.ErrorKind
	}{
		{400, `{"error":{"message":"too long","code":"context_length_exceeded"}}`, batch.ErrTokenLimit},
		{400, `{"error":{"message":"'$.input' is invalid."}}`, batch.ErrInvalidRequest},
		{401, `{"error":{"message":"no"}}`, batch.ErrAuthentication},
		{429, `{"error":{"message":"slow down"}}`, batch.ErrRateLimit},
		{500, `oops`, batch.ErrServer},
		{200, `{"error":{"message":"slow down","code":429}}`, batch.ErrRateLimit},
		{200, `{"message":"the model is loading","code":503}`, batch.ErrServer},
	} {
		call := embed(`"a"`)
		call.KeepRaw = true
		_, err := serve(t, reply(test.status, test.body)).Complete(t.Context(), call)
		e, ok := errors.AsType[*llm.Error](err)
		require.True(t, ok)
		require.Equal(t, test.kind, e.Kind, test.body)
		require.Equal(t, test.body, string(e.Raw.Body))
	}
}

func TestAnUnreachableServerOfEmbeddingsIsNamed(t *testing.T) {
	client := connect(t, llm.ClientConfig{BaseURL: "http://127.0.0.1:1/v1"})
	_, err := client.Complete(t.Context(), embed(`"a"`))
	require.ErrorIs(t, err, batch.ErrAPIConnection)
	require.ErrorContains(t, err, "POST http://127.0.0.1:1/v1/embeddings")
}

func TestInputsAreCounted(t *testing.T) {
	for input, want := range map[string]int{
		`"a"`: 1, ` "a" `: 1, `[1, 2, 3]`: 1, `["a"]`: 1, ` [ "a", "b" ]`: 2, `[[1,2],[3]]`: 2, `[ 1 ]`: 1,
		``: 0, `""`: 0, `[]`: 0, `null`: 0, `1`: 0, `{}`: 0, `[`: 0,
	} {
		require.Equal(t, want, llm.CountInputs(json.RawMessage(input)), input)
	}
}

func TestTheInputCountsInTheEstimate(t *testing.T) {
	require.InDelta(t, 1000, llm.EstimateTokens(embed(`"`+strings.Repeat("x", 4000)+`"`)), 5)
}

func TestACallForEmbeddingsCantHaveItsInputInTheParams(t *testing.T) {
	call := embed(`"a"`)
	call.Params = map[string]any{"input": "b"}
	_, err := llm.AppendBody(nil, call)
	require.ErrorIs(t, err, batch.ErrInvalidRequest)
	require.ErrorContains(t, err, `params: "input" is a field of the request itself`)
	call.Params = map[string]any{"messages": nil}
	_, err = llm.AppendBody(nil, call)
	require.NoError(t, err, "nobody owns it here")
}

func TestEmbeddingsPassTheMiddleware(t *testing.T) {
	srv := llmtest.New(t, llmtest.Config{Respond: llmtest.Burst429(1, 20*time.Millisecond), RecordBodies: true})
	client := connect(t, llm.ClientConfig{BaseURL: srv.BaseURL()})
	permits := llm.NewPermits(1)
	pool := llm.NewKeyPool([]llm.Key{{
		Completer: llm.Timeout(client), Limiter: llm.NewLimiter(llm.LimiterConfig{Limits: llm.Limits{TPM: 1000}}),
	}}, permits, nil)
	c := llm.Hedge(llm.Park(pool, time.Minute), llm.HedgeConfig{After: time.Minute})
	call := embed(`["a","b"]`)
	call.Timeout = time.Minute
	answer, err := c.Complete(t.Context(), call)
	require.NoError(t, err)
	require.Len(t, answer.Embeddings, 2)
	require.Positive(t, call.Waited)
	require.Len(t, srv.Bodies(), 2, "a 429 and the answer")
}

func TestOpenAIClientOfTheUsersEmbeds(t *testing.T) {
	srv := llmtest.New(t, llmtest.Config{RecordBodies: true})
	direct, err := connect(t, llm.ClientConfig{BaseURL: srv.BaseURL()}).Complete(t.Context(), embed(`["a","b"]`))
	require.NoError(t, err)
	for _, params := range []map[string]any{
		nil, {"encoding_format": "base64"}, {"encoding_format": json.RawMessage(`"base64"`), "x": json.RawMessage("1.0")},
	} {
		call := embed(`["a","b"]`)
		call.Params = params
		answer, err := adapt(t, srv.BaseURL()).Complete(t.Context(), call)
		require.NoError(t, err)
		require.Equal(t, direct.Embeddings, answer.Embeddings)
		require.Equal(t, direct.Usage, answer.Usage)
	}
	require.Contains(t, string(srv.Bodies()[3]), `"x":1.0`)

	for body, kind := range map[string]batch.ErrorKind{`{"data":[]}`: batch.ErrServer, `{"error":"x"}`: batch.ErrServer} {
		_, err = adaptHandler(t, reply(200, body)).Complete(t.Context(), embed(`"a"`))
		require.ErrorIs(t, err, kind)
	}
	_, err = adaptHandler(t, reply(429, `{"error":{"message":"slow down"}}`, "Retry-After", "2")).Complete(t.Context(), embed(`"a"`))
	e, ok := errors.AsType[*llm.Error](err)
	require.True(t, ok)
	require.Equal(t, batch.ErrRateLimit, e.Kind)
}

func FuzzDecodeEmbeddings(f *testing.F) {
	for _, seed := range []string{
		``, `null`, `{"data":null}`, `{"data":[null]}`, `{"data":[{"embedding":null}]}`, `{"data":[{"embedding":[]}]}`,
		`{"data":[{"index":0,"embedding":[1,2.5e-3]}],"usage":{"prompt_tokens":1}}`, `{"data":[{"embedding":"AACAPw=="}]}`,
		`{"data":[{"index":-1,"embedding":[1]},{"index":9e99}]}`, `{"data":[{"embedding":[ 1 ,[2]]}]}`, `{"error":{"code":429}}`,
	} {
		f.Add(seed)
	}
	server := &scripted{status: 200, header: http.Header{}}
	client, err := llm.NewClient(llm.ClientConfig{BaseURL: "http://localhost", APIKey: testKey, HTTPClient: server})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body string) {
		server.body = body
		call := embed(`["a","b"]`)
		call.KeepRaw = true
		answer, err := client.Complete(t.Context(), call)
		if err != nil {
			checkFailure(t, answer, err)
			return
		}
		require.Len(t, answer.Embeddings, 2)
		for _, embedding := range answer.Embeddings {
			require.NotEmpty(t, embedding)
			for _, number := range embedding {
				require.False(t, math.IsNaN(float64(number)) || math.IsInf(float64(number), 0))
			}
		}
	})
}
