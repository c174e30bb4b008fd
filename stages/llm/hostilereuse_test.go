package llm_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

// once answers the first request of a connection well, and meets the next one with act.
func once(act func(*hostileConn)) func(*hostileConn) {
	return func(c *hostileConn) {
		if c.request() && c.write(goodAnswer) {
			act(c)
		}
	}
}

func TestAKeptConnectionThatBreaksIsForARetryToMend(t *testing.T) {
	overEachTransport(t, func(t *testing.T, newDoer func() doer) {
		for name, test := range map[string]struct {
			act  func(*hostileConn)
			sent int32 // requests that the server read whole, of two calls
		}{
			"closes as the next request comes": {once(func(c *hostileConn) { _, _ = c.r.Peek(1) }), 1},
			"resets as the next request comes": {once(func(c *hostileConn) { _, _ = c.r.Peek(1); c.reset() }), 1},
			"closes after the next request":    {once(func(c *hostileConn) { c.request() }), 2},
			"resets after the next request":    {once(func(c *hostileConn) { c.request(); c.reset() }), 2},
		} {
			t.Run(name, func(t *testing.T) {
				noLeaks(t)
				server := startHostile(t, test.act)
				doer := newDoer()
				client := connect(t, llm.ClientConfig{BaseURL: server.url(), APIKey: testKey, HTTPClient: doer})
				answer, err := client.Complete(t.Context(), ask("Hello"))
				answered.require(t, answer, err)

				// Something was written, so that the server may have worked on it: net/http must not send it again by itself.
				answer, err = client.Complete(t.Context(), ask("Hello"))
				broken.require(t, answer, err)
				require.Equal(t, test.sent, server.requests.Load())

				server.calm.Store(true)
				answer, err = client.Complete(t.Context(), ask("Hello"))
				answered.require(t, answer, err)
				require.Equal(t, test.sent+1, server.requests.Load())
				server.stop(doer.CloseIdleConnections)
			})
		}
	})
}

func TestAKeptConnectionThatTheServerHasClosedIsNotUsed(t *testing.T) {
	overEachTransport(t, func(t *testing.T, newDoer func() doer) {
		noLeaks(t)
		server := startHostile(t, once(func(*hostileConn) {}))
		doer := newDoer()
		client := connect(t, llm.ClientConfig{BaseURL: server.url(), HTTPClient: doer})
		for range 10 {
			requireRecovery(t, llm.Timeout(client))
		}
		server.stop(doer.CloseIdleConnections)
	})
}

func TestACancelledCallClosesItsConnection(t *testing.T) {
	overEachTransport(t, func(t *testing.T, newDoer func() doer) {
		noLeaks(t)
		taken := make(chan struct{})
		server := startHostile(t, after(func(c *hostileConn) {
			close(taken)
			c.gone()
		}))
		doer := newDoer()
		client := connect(t, llm.ClientConfig{BaseURL: server.url(), HTTPClient: doer})
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-taken
			cancel()
		}()
		_, err := client.Complete(ctx, ask("Hello"))
		require.ErrorIs(t, err, batch.ErrCancelled)
		server.stop(doer.CloseIdleConnections)
	})
}
