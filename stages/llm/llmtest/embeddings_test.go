package llmtest_test

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

// embed posts a body to /v1/embeddings.
func (c *client) embed(body string) answer {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.url+"/embeddings", strings.NewReader(body))
	require.NoError(c.t, err)
	a, err := c.do(req)
	require.NoError(c.t, err)
	return a
}

type embeddings struct {
	Model string
	Data  []struct {
		Index     int
		Embedding json.RawMessage
	}
	Usage map[string]int
}

func vectorsOf(t *testing.T, a answer) ([][]float32, embeddings) {
	t.Helper()
	require.Equal(t, 200, a.status, a.body)
	var wire embeddings
	require.NoError(t, json.Unmarshal([]byte(a.body), &wire))
	vectors := make([][]float32, len(wire.Data))
	for i, d := range wire.Data {
		require.Equal(t, i, d.Index)
		var encoded string
		if json.Unmarshal(d.Embedding, &encoded) != nil {
			require.NoError(t, json.Unmarshal(d.Embedding, &vectors[i]))
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(encoded)
		require.NoError(t, err)
		for ; len(raw) > 0; raw = raw[4:] {
			vectors[i] = append(vectors[i], math.Float32frombits(binary.LittleEndian.Uint32(raw)))
		}
	}
	return vectors, wire
}

func TestEmbeddingsDependOnTheTextAlone(t *testing.T) {
	_, c := start(t, llmtest.Config{})
	two, wire := vectorsOf(t, c.embed(`{"model":"m","input":["Hello","Bye, world"]}`))
	require.Len(t, two[0], 8)
	require.NotEqual(t, two[0], two[1])
	require.Equal(t, "m", wire.Model)
	require.Equal(t, map[string]int{"prompt_tokens": 4, "total_tokens": 4}, wire.Usage)
	alone, _ := vectorsOf(t, c.embed(`{"model":"other","input":"Hello"}`))
	require.Equal(t, two[:1], alone)
	encoded, _ := vectorsOf(t, c.embed(`{"model":"m","input":["Hello"],"encoding_format":"base64"}`))
	require.Equal(t, alone, encoded)
	long, _ := vectorsOf(t, c.embed(`{"model":"m","input":[1,2,3],"dimensions":100}`))
	require.Len(t, long, 1)
	require.Len(t, long[0], 100)
	square := 0.0
	for _, number := range long[0] {
		square += float64(number) * float64(number)
	}
	require.InDelta(t, 1, square, 1e-6)
	lists, _ := vectorsOf(t, c.embed(`{"model":"m","input":[[1,2],[3]]}`))
	require.Len(t, lists, 2)
}

func TestEmbeddingsThatOpenAIRefusesAreRefused(t *testing.T) {
	_, c := start(t, llmtest.Config{})
	for body, want := range map[string]string{
		`{"model":"m","input":""}`:                     "input",
		`{"model":"m","input":["a",""]}`:               "input",
		`{"model":"m","input":[]}`:                     "input",
		`{"model":"m"}`:                                "input",
		`{"input":"a"}`:                                "model",
		`{"model":"m","input":"a","dimensions":-1}`:    "dimensions",
		`{"model":"m","input":"a","dimensions":"big"}`: "dimensions",
		`{`: "not valid JSON",
		`{"model":"m","input":[` + strings.Repeat(`"a",`, 2048) + `"a"]}`: "input",
	} {
		a := c.embed(body)
		require.Equal(t, 400, a.status, body)
		require.Contains(t, a.body, want)
	}
}

func TestEmbeddingsMeetFaultsLimitsAndRespond(t *testing.T) {
	srv, c := start(t, llmtest.Config{RPM: 60, Burst: 1, CountAttempts: true})
	require.Equal(t, 200, c.embed(`{"model":"m","input":"a"}`).status)
	require.Equal(t, 429, c.embed(`{"model":"m","input":"a"}`).status)
	require.Equal(t, 2, srv.Attempts("a"))
	require.Equal(t, map[int]int{200: 1, 429: 1}, srv.Stats().Statuses)

	_, c = start(t, llmtest.Config{Respond: func(r *llmtest.Request) *llmtest.Answer {
		if len(r.Inputs) > 1 {
			return llmtest.Error(413, "", fmt.Sprint(r.Inputs))
		}
		return nil
	}})
	require.Contains(t, c.embed(`{"model":"m","input":["a","b"]}`).body, "[a b]")
	require.Equal(t, 200, c.embed(`{"model":"m","input":["a"]}`).status)
	require.Equal(t, 503, c.embed(`{"model":"flaky","input":["x"]}`).status)
	require.Equal(t, 200, c.embed(`{"model":"flaky","input":["x"]}`).status)
	require.Equal(t, 500, c.embed(`{"model":"fail","input":["x"]}`).status)
	require.Equal(t, 200, c.ask("m", "chat goes on").status)
}
