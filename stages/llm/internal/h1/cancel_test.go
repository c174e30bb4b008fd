//go:build unix

package h1_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestACancelledCallSpoilsNoOther(t *testing.T) {
	server := start(t, echo)
	transport := newTransport(t)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 300 {
				ctx, cancel := context.WithCancel(t.Context())
				if i%3 != 0 {
					go cancel() // some time soon
				}
				body := fmt.Sprintf("worker %d, call %d", w, i)
				resp, err := transport.RoundTrip(newRequest(ctx, server.url(), body))
				var got []byte
				if err == nil {
					got, err = io.ReadAll(resp.Body)
					_ = resp.Body.Close()
				}
				cancel()
				if i%3 == 0 && err != nil || err == nil && string(got) != body {
					t.Errorf("want %q, got %q and %v", body, got, err)
				}
			}
		})
	}
	wg.Wait()
	transport.CloseIdleConnections()
}

func TestTheEndOfTheContextEndsTheCall(t *testing.T) {
	cause := fmt.Errorf("the run ended")
	for name, meet := range map[string]func(*peer){
		"before the head": func(p *peer) { p.read(); p.gone() },
		"amid the head":   func(p *peer) { p.read(); p.write("HTTP/1.1 200 OK\r\nX-"); p.gone() },
		"amid the body":   func(p *peer) { p.read(); p.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"); p.gone() },
		"amid the chunks": func(p *peer) {
			p.read()
			p.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")
			p.gone()
		},
		"amid interim ones": func(p *peer) { p.read(); p.write("HTTP/1.1 103 Early Hints\r\n\r\n"); p.gone() },
	} {
		for _, size := range []int{10, large} {
			t.Run(fmt.Sprintf("%s, %d bytes", name, size), func(t *testing.T) {
				server := start(t, meet)
				transport := newTransport(t)
				ctx, cancel := context.WithCancelCause(t.Context())
				go func() {
					<-server.read
					cancel(cause)
				}()
				resp, err := transport.RoundTrip(newRequest(ctx, server.url(), strings.Repeat("x", size)))
				if err == nil {
					_, err = io.ReadAll(resp.Body)
					require.NoError(t, resp.Body.Close())
				}
				require.ErrorIs(t, err, cause)
			})
		}
	}
}

func TestTheEndOfTheContextEndsASendingThatNobodyReads(t *testing.T) {
	ended := make(chan struct{})
	server := start(t, func(p *peer) { _, _ = p.r.Peek(100); <-ended })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := newTransport(t).RoundTrip(newRequest(ctx, server.url(), strings.Repeat("x", 64<<20)))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	close(ended)
}

func TestACallWhoseContextHasEndedIsNotMade(t *testing.T) {
	server := start(t, echo)
	transport := newTransport(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for i := range 2 { // without an idle connection, and with one
		_, err := transport.RoundTrip(newRequest(ctx, server.url(), "Hi"))
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, int64(i), server.requests.Load())
		requireEcho(t, transport, server.url(), "Hi")
	}
	require.Equal(t, int64(1), server.accepted.Load())
	transport.CloseIdleConnections()
}
