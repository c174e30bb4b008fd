//go:build unix

package h1_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const large = 1 << 20 // does not go out in one piece

func TestConnectionsAreUsedAgain(t *testing.T) {
	server := start(t, echo)
	transport := newTransport(t)
	for _, size := range []int{1, 100, 32 << 10, 32<<10 + 1, large} {
		for i := range 5 {
			requireEcho(t, transport, server.url(), strings.Repeat(fmt.Sprint(i), size))
		}
	}
	require.Equal(t, int64(1), server.accepted.Load())
	transport.CloseIdleConnections()
}

func TestNoMoreConnectionsAreOpenedThanCallsAreInFlight(t *testing.T) {
	const rounds = 4
	for _, inFlight := range []int{1, 64, 1000, 5000} {
		t.Run(fmt.Sprint(inFlight), func(t *testing.T) {
			var files syscall.Rlimit
			require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files))
			if need := 2*inFlight + 100; uint64(files.Cur) < uint64(need) { //nolint:unconvert // it is signed on some systems
				t.Skipf("it takes %d open files, and there may be %d", need, files.Cur)
			}
			var arrived atomic.Int64
			all := make([]chan struct{}, rounds)
			for i := range all {
				all[i] = make(chan struct{})
			}
			server := start(t, func(p *peer) {
				for {
					body, ok := p.read()
					if !ok {
						return
					}
					// No call of a round is answered before all of them are there.
					n := arrived.Add(1) - 1
					round := int(n) / inFlight
					if int(n)%inFlight == inFlight-1 {
						close(all[round])
					}
					<-all[round]
					p.write(answer(body))
				}
			})
			transport := newTransport(t)
			for range rounds {
				var wg sync.WaitGroup
				for range inFlight {
					wg.Go(func() {
						if _, got, err := post(t, transport, server.url(), "Hi"); err != nil || got != "Hi" {
							t.Errorf("got %q and %v", got, err)
						}
					})
				}
				wg.Wait()
			}
			require.Equal(t, int64(inFlight), server.accepted.Load())
			transport.CloseIdleConnections()
		})
	}
}

func TestIdleConnectionsThatAreNoGoodAreNotUsed(t *testing.T) {
	for name, spoil := range map[string]func(*peer){
		"closed":      func(*peer) {},
		"reset":       func(p *peer) { _ = p.Conn.(*net.TCPConn).SetLinger(0) },
		"half closed": func(p *peer) { _ = p.Conn.(*net.TCPConn).CloseWrite(); p.gone() },
		"talking":     func(p *peer) { p.write("HTTP/1.1 408 Request Timeout\r\n\r\n"); p.gone() },
	} {
		t.Run(name, func(t *testing.T) {
			server := start(t, func(p *peer) {
				body, ok := p.read()
				if !ok {
					return
				}
				p.write(answer(body))
				spoil(p)
			})
			transport := newTransport(t)
			for range 5 {
				requireEcho(t, transport, server.url(), "Hi")
				require.Eventually(t, func() bool { return transport.Idle() == 0 }, time.Minute, time.Millisecond)
			}
			require.Equal(t, int64(5), server.requests.Load())
			transport.CloseIdleConnections()
		})
	}
}

func TestWhatComesBeyondAnAnswerIsNotTakenForTheNext(t *testing.T) {
	for name, beyond := range map[string]string{"another answer": answer("stale"), "a blank line": "\r\n", "a byte": "H"} {
		t.Run(name, func(t *testing.T) {
			server := start(t, func(p *peer) {
				for {
					body, ok := p.read()
					if !ok {
						return
					}
					p.write(answer(body) + beyond)
				}
			})
			transport := newTransport(t)
			for i := range 5 {
				requireEcho(t, transport, server.url(), fmt.Sprint("call ", i))
			}
			require.Equal(t, int64(5), server.requests.Load())
		})
	}
}

func TestABodyClosedBeforeItsEndClosesTheConnection(t *testing.T) {
	server := start(t, func(p *peer) {
		p.read()
		p.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + strings.Repeat("x", 50))
		p.gone()
	})
	transport := newTransport(t)
	for n := range 3 {
		resp, err := transport.RoundTrip(newRequest(t.Context(), server.url(), "Hi"))
		require.NoError(t, err)
		_, err = io.ReadFull(resp.Body, make([]byte, 50))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		_, err = resp.Body.Read(make([]byte, 1))
		require.Error(t, err)
		require.Equal(t, int64(n+1), server.accepted.Load())
	}
}

func TestABodyReadToItsEndStaysAtItsEnd(t *testing.T) {
	server := start(t, echo)
	transport := newTransport(t)
	resp, err := transport.RoundTrip(newRequest(t.Context(), server.url(), "first"))
	require.NoError(t, err)
	_, err = io.ReadAll(resp.Body)
	require.NoError(t, err)
	requireEcho(t, transport, server.url(), "second") // on the same connection
	_, err = resp.Body.Read(make([]byte, 1))
	require.Equal(t, io.EOF, err)
	require.NoError(t, resp.Body.Close())
	requireEcho(t, transport, server.url(), "third")
	require.Equal(t, int64(1), server.accepted.Load())
	transport.CloseIdleConnections()
}

func TestIdleConnectionsAreClosedOnceTheyAreOld(t *testing.T) {
	closed := make(chan struct{})
	server := start(t, func(p *peer) { echo(p); close(closed) })
	transport := newTransport(t)
	transport.IdleTimeout = 20 * time.Millisecond
	requireEcho(t, transport, server.url(), "Hi")
	<-closed
}

func TestNoMoreConnectionsAreKeptThanAsked(t *testing.T) {
	const kept, calls = 3, 10
	var open atomic.Int64
	var arrived sync.WaitGroup
	arrived.Add(calls)
	server := start(t, func(p *peer) {
		open.Add(1)
		defer open.Add(-1)
		body, _ := p.read()
		arrived.Done()
		arrived.Wait()
		p.write(answer(body))
		echo(p)
	})
	transport := newTransport(t)
	transport.MaxIdlePerHost = kept
	var wg sync.WaitGroup
	for range calls {
		wg.Go(func() { requireEcho(t, transport, server.url(), "Hi") })
	}
	wg.Wait()
	require.Eventually(t, func() bool { return open.Load() == kept }, time.Minute, time.Millisecond)
	transport.CloseIdleConnections()
	require.Eventually(t, func() bool { return open.Load() == 0 }, time.Minute, time.Millisecond)
}

func TestAConnectionThatCantBeCheckedIsUsedOnce(t *testing.T) {
	server := start(t, echo)
	transport := newTransport(t)
	transport.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		return struct{ net.Conn }{c}, err
	}
	for range 3 {
		requireEcho(t, transport, server.url(), "Hi")
	}
	require.Equal(t, int64(3), server.accepted.Load())
}
