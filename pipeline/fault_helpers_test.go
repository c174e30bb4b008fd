package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sashabaranov/go-openai"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/gluepipe/gluepipe/pipeline"
	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

// requireNothingLeft fails the test if goroutines or file descriptors are left once all is closed that it starts from here on.
func requireNothingLeft(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0") // the first one opens descriptors that stay, those of the poller
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	files, goroutines := openFiles(), goleak.IgnoreCurrent()
	t.Cleanup(func() {
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			require.NoError(c, goleak.Find(goroutines))
			require.LessOrEqual(c, openFiles(), files, "file descriptors")
		}, time.Minute, 10*time.Millisecond)
	})
}

// openFiles returns how many file descriptors the process has; 0 where the system doesn't tell.
func openFiles() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}

// meteredClient sends requests as a processor's own client does, and counts what becomes of them.
type meteredClient struct {
	client openai.HTTPDoer
	trace  *httptrace.ClientTrace // of net/http; nil: there is none

	sent           atomic.Int64 // requests given to the client
	written        atomic.Int64 // requests that net/http wrote to a connection whole: more than sent, if it sent one twice
	connections    atomic.Int64 // that net/http opened
	inFlight, most atomic.Int64
	refused        chan struct{} // gets one where a connection can't be opened
}

func newMeteredClient(t *testing.T, maxConns int) *meteredClient {
	t.Helper()
	client := llm.NewHTTPClient(maxConns)
	t.Cleanup(client.CloseIdleConnections)
	return &meteredClient{client: client, refused: make(chan struct{}, 1)}
}

// newMeteredNetHTTP returns a client as for servers at https:// addresses, or behind a proxy.
func newMeteredNetHTTP(t *testing.T, maxConns int) *meteredClient {
	t.Helper()
	transport := llm.NewTransport(maxConns)
	t.Cleanup(transport.CloseIdleConnections)
	m := &meteredClient{client: &http.Client{Transport: transport}, refused: make(chan struct{}, 1)}
	dial := transport.DialContext
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		m.connections.Add(1)
		return dial(ctx, network, addr)
	}
	m.trace = &httptrace.ClientTrace{WroteRequest: func(info httptrace.WroteRequestInfo) {
		if info.Err == nil {
			m.written.Add(1)
		}
	}}
	return m
}

// overEachClient runs a test over the client of gluepipe's own, and over net/http.
func overEachClient(t *testing.T, name string, maxConns int, test func(*testing.T, *meteredClient)) {
	t.Helper()
	for over, newClient := range map[string]func(*testing.T, int) *meteredClient{
		"gluepipe's own": newMeteredClient, "net/http": newMeteredNetHTTP,
	} {
		t.Run(strings.TrimPrefix(name+" over "+over, " "), func(t *testing.T) {
			requireNothingLeft(t)
			test(t, newClient(t, maxConns))
		})
	}
}

// Do sends one request. It is in flight until its answer's body is closed.
func (m *meteredClient) Do(req *http.Request) (*http.Response, error) {
	m.sent.Add(1)
	now := m.inFlight.Add(1)
	for most := m.most.Load(); now > most && !m.most.CompareAndSwap(most, now); most = m.most.Load() {
	}
	if m.trace != nil {
		req = req.WithContext(httptrace.WithClientTrace(req.Context(), m.trace))
	}
	resp, err := m.client.Do(req)
	if err != nil {
		if e, ok := errors.AsType[*net.OpError](err); ok && e.Op == "dial" {
			select {
			case m.refused <- struct{}{}:
			default:
			}
		}
		m.inFlight.Add(-1)
		return nil, err
	}
	resp.Body = &meteredBody{ReadCloser: resp.Body, closed: sync.OnceFunc(func() { m.inFlight.Add(-1) })}
	return resp, nil
}

type meteredBody struct {
	io.ReadCloser
	closed func()
}

func (b *meteredBody) Close() error {
	b.closed()
	return b.ReadCloser.Close()
}

// soon retries often and at once.
func soon(attempts int) stages.RetryPolicy {
	return stages.RetryPolicy{MaxAttempts: attempts, InitialBackoff: 2 * time.Millisecond, MaxBackoff: 50 * time.Millisecond}
}

// prompts returns n requests with ids and prompts of their own.
func prompts(n int) []batch.Request {
	requests := make([]batch.Request, n)
	for i := range requests {
		requests[i] = batch.Request{ID: fmt.Sprintf("r%d", i), UserMessage: fmt.Sprintf("prompt %d", i)}
	}
	return requests
}

// requireOneHonestResultEach checks that each request has one result, and that it is the echo of its prompt or a failure of
// one of the given kinds. It returns how many succeeded, and the sum of the attempts.
func requireOneHonestResultEach(
	t *testing.T, requests []batch.Request, results []*batch.Result, kinds ...batch.ErrorKind,
) (succeeded, attempts int) {
	t.Helper()
	require.Len(t, results, len(requests))
	seen := make(map[string]bool, len(results))
	for _, r := range results {
		require.False(t, seen[r.ID], "two results for %s", r.ID)
		seen[r.ID] = true
		require.Equal(t, requests[r.Index].ID, r.ID)
		require.Positive(t, r.Attempts)
		attempts += r.Attempts
		if r.Success {
			succeeded++
			require.Equal(t, requests[r.Index].UserMessage, r.Response)
			require.Empty(t, r.Error)
			continue
		}
		require.Contains(t, kinds, r.ErrorType, "%s: %s", r.ID, r.Error)
		require.NotEmpty(t, r.Error)
	}
	return succeeded, attempts
}

func newProcessor(t *testing.T, cfg *pipeline.Config) *pipeline.BatchProcessor {
	t.Helper()
	p, err := pipeline.NewBatchProcessor(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

// address returns host and port of a base URL.
func address(baseURL string) string {
	return strings.TrimSuffix(strings.TrimPrefix(baseURL, "http://"), "/v1")
}
