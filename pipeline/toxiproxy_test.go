package pipeline_test

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/pipeline"
	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

// throughToxics returns the base URL under which a server is reached by a network with the given faults: toxics as
// toxiproxy's API takes them, in JSON.
func throughToxics(t *testing.T, server *llmtest.Server, faults ...string) string {
	t.Helper()
	return "http://" + newProxy(t, server, faults...).Listen + "/v1"
}

func newProxy(t *testing.T, server *llmtest.Server, faults ...string) *toxiproxy.Proxy {
	t.Helper()
	control := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	proxy := toxiproxy.NewProxy(control, t.Name(), "127.0.0.1:0", address(server.BaseURL()))
	for _, fault := range faults {
		toxic, err := proxy.Toxics.AddToxicJson(strings.NewReader(fault))
		require.NoError(t, err, fault)
		// A toxic that has ended its connection takes nothing more. What comes all the same must find room, or the goroutine
		// that brings it waits for good.
		toxic.BufferSize = max(toxic.BufferSize, 1024)
	}
	require.NoError(t, proxy.Start())
	t.Cleanup(proxy.Stop)
	return proxy
}

func TestEachRequestEndsInOneHonestResultHoweverBadTheNetwork(t *testing.T) {
	const count, atOnce = 120, 8
	for _, network := range []struct {
		name    string
		toxics  []string
		timeout time.Duration
		breaks  bool // connections end while the server still believes in them
		fails   bool // no request can succeed
		kinds   []batch.ErrorKind
	}{
		{name: "latency with jitter", toxics: []string{
			`{"type": "latency", "stream": "upstream", "attributes": {"latency": 5, "jitter": 5}}`,
			`{"type": "latency", "stream": "downstream", "attributes": {"latency": 10, "jitter": 10}}`,
		}},
		{name: "little bandwidth", toxics: []string{
			`{"type": "bandwidth", "stream": "upstream", "attributes": {"rate": 20}}`,
			`{"type": "bandwidth", "stream": "downstream", "attributes": {"rate": 20}}`,
		}},
		{name: "slow close", toxics: []string{
			`{"type": "slow_close", "attributes": {"delay": 100}}`,
			`{"type": "slow_close", "stream": "upstream", "attributes": {"delay": 100}}`,
		}},
		{name: "slices of a few bytes", toxics: []string{
			`{"type": "slicer", "stream": "upstream", "attributes": {"average_size": 40, "size_variation": 20, "delay": 50}}`,
			`{"type": "slicer", "stream": "downstream", "attributes": {"average_size": 40, "size_variation": 20, "delay": 50}}`,
		}},
		{name: "answers that are lost, then the connection", breaks: true, toxics: []string{
			`{"type": "timeout", "toxicity": 0.3, "attributes": {"timeout": 50}}`,
		}},
		{name: "connections that go silent", breaks: true, timeout: 250 * time.Millisecond, toxics: []string{
			`{"type": "timeout", "toxicity": 0.2, "attributes": {"timeout": 0}}`,
		}},
		{name: "resets", breaks: true, toxics: []string{
			`{"name": "up", "type": "reset_peer", "stream": "upstream", "toxicity": 0.2, "attributes": {"timeout": 0}}`,
			`{"name": "down", "type": "reset_peer", "stream": "downstream", "toxicity": 0.2, "attributes": {"timeout": 5}}`,
		}},
		{name: "answers cut off", breaks: true, toxics: []string{
			`{"type": "limit_data", "toxicity": 0.5, "attributes": {"bytes": 1500}}`,
		}},
		{
			name: "no answer that arrives whole", breaks: true, fails: true, kinds: []batch.ErrorKind{batch.ErrAPIConnection},
			toxics: []string{`{"type": "limit_data", "attributes": {"bytes": 300}}`},
		},
		{
			name: "no answer at all", breaks: true, fails: true, timeout: 50 * time.Millisecond,
			kinds: []batch.ErrorKind{batch.ErrAPITimeout}, toxics: []string{`{"type": "timeout", "attributes": {"timeout": 0}}`},
		},
	} {
		overEachClient(t, network.name, atOnce, func(t *testing.T, client *meteredClient) {
			server := llmtest.New(t, llmtest.Config{})
			requests, attempts := prompts(count), 30
			if network.fails { // fewer than the failures in a row that stop a run
				requests, attempts = prompts(20), 2
			}
			p := newProcessor(t, &pipeline.Config{
				Model: "vllm:echo", BaseURL: throughToxics(t, server, network.toxics...), HTTPClient: client,
				MaxConcurrent: atOnce, Retry: soon(attempts), Timeout: network.timeout,
			})
			response, err := p.Process(t.Context(), requests)
			require.NoError(t, err)
			succeeded, _ := requireOneHonestResultEach(t, requests, response.Results, network.kinds...)
			if network.fails {
				require.Zero(t, succeeded)
			} else {
				require.Equal(t, count, succeeded)
			}
			require.Equal(t, len(requests), response.SuccessfulRequests+response.FailedRequests)
			require.LessOrEqual(t, int(client.most.Load()), atOnce)
			if !network.breaks { // else the server counts calls as in flight that the client has given up
				require.LessOrEqual(t, server.Stats().MaxInFlight, atOnce)
			}
		})
	}
}

// Resets hit a tenth of the connections: while the request goes up, before the answer, and in the midst of an answer. The
// server closes every other connection, so that there are many.
func TestAllRequestsSucceedAndEachCallIsCountedWhileConnectionsAreReset(t *testing.T) {
	const count, atOnce = 2000, 16
	overEachClient(t, "", atOnce, func(t *testing.T, client *meteredClient) {
		server := llmtest.New(t, llmtest.Config{Respond: func(r *llmtest.Request) *llmtest.Answer {
			answer := llmtest.Text(r.Prompt())
			if rand.IntN(2) == 0 {
				answer.Header = http.Header{"Connection": {"close"}}
			}
			return answer
		}})
		p := newProcessor(t, &pipeline.Config{
			Model: "vllm:echo", HTTPClient: client, MaxConcurrent: atOnce, Retry: soon(20),
			BaseURL: throughToxics(t, server,
				`{"name": "1", "type": "reset_peer", "stream": "upstream", "toxicity": 0.02, "attributes": {"timeout": 0}}`,
				`{"name": "2", "type": "reset_peer", "stream": "upstream", "toxicity": 0.02, "attributes": {"timeout": 10}}`,
				`{"name": "3", "type": "reset_peer", "toxicity": 0.02, "attributes": {"timeout": 0}}`,
				`{"name": "4", "type": "reset_peer", "toxicity": 0.02, "attributes": {"timeout": 10}}`,
				`{"name": "5", "type": "limit_data", "toxicity": 0.02, "attributes": {"bytes": 700}}`),
		})
		requests := prompts(count)
		response, err := p.Process(t.Context(), requests)
		require.NoError(t, err)
		succeeded, attempts := requireOneHonestResultEach(t, requests, response.Results)
		require.Equal(t, count, succeeded)
		require.LessOrEqual(t, int(client.most.Load()), atOnce)

		seen, sent, written := server.Stats().Requests, int(client.sent.Load()), int(client.written.Load())
		t.Logf("%d attempts, of which %d did not reach the server", attempts, attempts-seen)
		require.GreaterOrEqual(t, attempts-count, 20, "too few resets to tell anything")
		require.Equal(t, attempts, sent, "each call is one attempt, and none is made twice")
		require.LessOrEqual(t, written, sent, "net/http sent a request twice by itself")
		for _, r := range response.Results {
			require.LessOrEqual(t, server.Attempts(requests[r.Index].UserMessage), r.Attempts, "calls of %s that were not counted", r.ID)
		}
	})
}

// net/http sends a request again by itself only where none of it was written, or where it has an Idempotency-Key.
func TestACallThatMayHaveBeenBilledIsNotRepeatedUnseen(t *testing.T) {
	requireNothingLeft(t)
	server := llmtest.New(t, llmtest.Config{Respond: llmtest.Sequence(nil, &llmtest.Answer{Fault: llmtest.Reset}, nil)})
	client := newMeteredNetHTTP(t, 1)
	p := newProcessor(t, &pipeline.Config{
		Model: "vllm:echo", BaseURL: server.BaseURL(), HTTPClient: client, MaxConcurrent: 1, Ordered: true,
	})
	response, err := p.Process(t.Context(), prompts(3))
	require.NoError(t, err)
	require.True(t, response.Results[0].Success)
	require.Equal(t, batch.ErrAPIConnection, response.Results[1].ErrorType, "on a connection that was good before")
	require.True(t, response.Results[2].Success)
	require.EqualValues(t, 2, client.connections.Load(), "the second request was to be sent on the first one's connection")
	require.EqualValues(t, 3, client.written.Load())
	require.Equal(t, 3, server.Stats().Requests)
}

// Each time, the server comes back as soon as somebody has found it gone.
func TestAServerThatFallsOverAndComesBackLosesNothing(t *testing.T) {
	const count, atOnce, outages = 600, 8, 5
	overEachClient(t, "", atOnce, func(t *testing.T, client *meteredClient) {
		calls := make(chan struct{}, count/outages/2)
		server := llmtest.New(t, llmtest.Config{Respond: func(r *llmtest.Request) *llmtest.Answer {
			select {
			case calls <- struct{}{}:
			default:
			}
			return nil
		}})
		proxy := newProxy(t, server)
		p := newProcessor(t, &pipeline.Config{
			Model: "vllm:echo", BaseURL: "http://" + proxy.Listen + "/v1", HTTPClient: client,
			MaxConcurrent: atOnce, Retry: soon(30),
		})
		var falls sync.WaitGroup
		defer falls.Wait()
		falls.Go(func() {
			for range outages {
				for range cap(calls) {
					<-calls
				}
				proxy.Stop()
				<-client.refused
				assert.NoError(t, proxy.Start())
			}
		})
		requests := prompts(count)
		response, err := p.Process(t.Context(), requests)
		require.NoError(t, err)
		succeeded, attempts := requireOneHonestResultEach(t, requests, response.Results)
		require.Equal(t, count, succeeded)
		require.GreaterOrEqual(t, attempts, server.Stats().Requests)
		require.LessOrEqual(t, int(client.most.Load()), atOnce)
	})
}
