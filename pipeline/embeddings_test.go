package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

// texts returns n requests for the embeddings of different texts.
func texts(n int) []batch.Request {
	requests := make([]batch.Request, n)
	for i := range requests {
		text := fmt.Sprintf("text %d", i)
		requests[i] = batch.Request{ID: text, Input: batch.Text(text)}
	}
	return requests
}

func TestEmbeddingsTakeFewCalls(t *testing.T) {
	server := llmtest.New(t, llmtest.Config{})
	p := newProcessor(t, &Config{Model: "openai:e", BaseURL: server.BaseURL(), MaxConcurrent: 2})
	alone := newProcessor(t, &Config{Model: "openai:e", BaseURL: server.BaseURL(), EmbedBatch: -1})
	const n = 1000
	response, err := p.Process(t.Context(), texts(n))
	require.NoError(t, err)
	require.Equal(t, n, response.SuccessfulRequests)
	require.Less(t, server.Stats().Requests, n/10)
	single, err := alone.Process(t.Context(), texts(10))
	require.NoError(t, err)
	for i, r := range single.Results {
		require.Equal(t, r.Embedding, response.Results[i].Embedding)
	}
}

func TestARequestForEmbeddingsMayNameItsProvider(t *testing.T) {
	other := llmtest.New(t, llmtest.Config{RecordBodies: true})
	p := newProcessor(t, &Config{Model: "mock:echo", Getenv: func(name string) string {
		return map[string]string{"AZURE_OPENAI_API_KEY": "k", "AZURE_OPENAI_ENDPOINT": strings.TrimSuffix(other.BaseURL(), "/v1")}[name]
	}})
	response, err := p.Process(t.Context(), []batch.Request{
		{Input: batch.Text("here")}, {Input: batch.Text("there"), Model: "azure:e"}, {UserMessage: "and a chat"},
	})
	require.NoError(t, err)
	require.True(t, response.Results[0].Success)
	require.Equal(t, batch.ErrInvalidRequest, response.Results[1].ErrorType, "the path of Azure is not served there")
	require.Equal(t, "and a chat", response.Results[2].Response)
}

func TestKeptRawEmbeddingsAreThoseOfTheRequestAlone(t *testing.T) {
	p := newProcessor(t, &Config{Model: "mock:echo", KeepRaw: true})
	response, err := p.Process(t.Context(), []batch.Request{
		{Input: batch.Text("a")},
		{Input: json.RawMessage(`["b","c"]`)},
		{UserMessage: "Hi", Params: map[string]any{"n": 2}},
		{Input: batch.Text("d"), Model: "mock:fail"},
	})
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(response.Results[0].Raw.Body), `"index"`))
	require.Equal(t, 2, strings.Count(string(response.Results[1].Raw.Body), `"index"`))
	require.True(t, response.Results[2].Success)
	require.Equal(t, 500, response.Results[3].Raw.Status)
}

func TestAResultThatGaveUpOnARateLimitKeepsTheAnswerThatSaidSo(t *testing.T) {
	server := llmtest.New(t, llmtest.Config{Respond: func(*llmtest.Request) *llmtest.Answer {
		return llmtest.RateLimited(time.Minute)
	}})
	p := newProcessor(t, &Config{
		Model: "openai:m", BaseURL: server.BaseURL(), KeepRaw: true, MaxRateLimitWait: 10 * time.Millisecond,
	})
	for _, request := range []batch.Request{{UserMessage: "a"}, {Input: batch.Text("a")}} {
		response, err := p.Process(t.Context(), []batch.Request{request})
		require.NoError(t, err)
		r := response.Results[0]
		require.Equal(t, batch.ErrRateLimit, r.ErrorType)
		if r.Raw != nil { // the second one waits for the pause that the first met
			require.Equal(t, 429, r.Raw.Status)
			require.Contains(t, string(r.Raw.Body), "rate_limit_exceeded")
		}
		require.Equal(t, request.UserMessage != "", r.Raw != nil)
	}
}

func TestEmbeddingsStreamWithinMaxPending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n, pending = 20_000, 300
		var taken, delivered, most atomic.Int64
		c := llm.CompleterFunc(func(_ context.Context, call *llm.Call) (*llm.Answer, error) {
			time.Sleep(time.Second)
			return &llm.Answer{Embeddings: make([][]float32, llm.CountInputs(call.Input))}, nil
		})
		p := newProcessor(t, &Config{Completer: c, MaxConcurrent: 8, MaxPending: pending, FixedPace: true, OnProgress: func(Progress) {}})
		src := source.Seq(func(yield func(batch.Request, error) bool) {
			for i := range n {
				now := taken.Add(1) - delivered.Load()
				most.Store(max(most.Load(), now))
				if !yield(batch.Request{Input: batch.Text(fmt.Sprint(i))}, nil) {
					return
				}
			}
		})
		begin := time.Now()
		for r, err := range p.Stream(t.Context(), src) {
			require.NoError(t, err)
			require.True(t, r.Success)
			delivered.Add(1)
		}
		require.EqualValues(t, n, delivered.Load())
		require.LessOrEqual(t, most.Load(), int64(pending+2))
		require.Less(t, time.Since(begin), n/200*time.Second, "hundreds at a time")
	})
}
