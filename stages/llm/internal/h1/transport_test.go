//go:build unix

package h1_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/llm/internal/h1"
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
	for _, inFlight := range []int{1, 64, 1000} {
		t.Run(fmt.Sprint(inFlight), func(t *testing.T) {
			const rounds = 5
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

// tamperedConn fails to write once it is told to.
type tamperedConn struct {
	*net.TCPConn
	whole int // writes to let pass, once it is armed
	takes int // how much of the next one
	armed bool
}

func (c *tamperedConn) Write(p []byte) (int, error) {
	if !c.armed || c.whole > 0 {
		if c.armed {
			c.whole--
		}
		return c.TCPConn.Write(p)
	}
	n, err := c.TCPConn.Write(p[:c.takes])
	if err == nil {
		err = &net.OpError{Op: "write", Net: "tcp", Err: syscall.EPIPE}
	}
	_ = c.CloseWrite()
	return n, err
}

func TestOnlyARequestOfWhichNothingWasTakenIsSentAgain(t *testing.T) {
	for name, test := range map[string]struct {
		takes, size int
		again       bool
		whole       int
	}{
		"nothing taken":                     {0, 10, true, 0},
		"a byte taken":                      {1, 10, false, 0},
		"nothing taken of a lot":            {0, large, true, 0},
		"a byte taken of a lot":             {1, large, false, 0},
		"a piece taken of a lot":            {1 << 15, large, false, 0},
		"all but the end taken":             {100, 10, false, 0},
		"nothing taken of the second piece": {0, large, false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			server := start(t, echo)
			transport := newTransport(t)
			var conns []*tamperedConn
			transport.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				c, err := new(net.Dialer).DialContext(ctx, network, address)
				if err != nil {
					return nil, err
				}
				conns = append(conns, &tamperedConn{TCPConn: c.(*net.TCPConn), takes: test.takes, whole: test.whole})
				return conns[len(conns)-1], nil
			}
			requireEcho(t, transport, server.url(), "Hi")
			conns[0].armed = true
			body := strings.Repeat("x", test.size)
			_, got, err := post(t, transport, server.url(), body)
			if test.again {
				require.NoError(t, err)
				require.Equal(t, body, got)
				require.Len(t, conns, 2)
			} else {
				require.Error(t, err)
				require.Len(t, conns, 1)
			}
			transport.CloseIdleConnections()
		})
	}
}

func TestAFreshConnectionThatFailsIsNotTriedAgain(t *testing.T) {
	server := start(t, echo)
	transport := newTransport(t)
	dials := 0
	transport.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		dials++
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &tamperedConn{TCPConn: c.(*net.TCPConn), armed: true}, nil
	}
	_, _, err := post(t, transport, server.url(), "Hi")
	require.ErrorIs(t, err, syscall.EPIPE)
	require.Equal(t, 1, dials)
}

func TestAnAnswerThatComesBeforeTheRequestIsSentCounts(t *testing.T) {
	const refusal = "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno!"
	for name, meet := range map[string]func(*peer){
		"and the server reads no more": nil,
		"and the server closes its side": func(p *peer) {
			_, _ = p.r.Peek(100)
			p.write(refusal)
			_ = p.Conn.(*net.TCPConn).CloseWrite()
			p.gone()
		},
		"and the server reads on": func(p *peer) { _, _ = p.r.Peek(100); p.write(refusal); p.gone() },
	} {
		t.Run(name, func(t *testing.T) {
			ended := make(chan struct{})
			defer close(ended)
			stuck := meet == nil
			if stuck {
				meet = func(p *peer) { _, _ = p.r.Peek(100); p.write(refusal); <-ended }
			}
			server := start(t, meet)
			transport := newTransport(t)
			status, body, err := post(t, transport, server.url(), strings.Repeat("x", 64<<20))
			require.NoError(t, err)
			require.Equal(t, 413, status)
			require.Equal(t, "no!", body)
			if stuck {
				require.Zero(t, transport.Idle(), "the rest of the request is still on its way")
			}
			transport.CloseIdleConnections()
		})
	}
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

func TestHeadersAreBounded(t *testing.T) {
	for name, text := range map[string]string{
		"one":     "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("y", 1<<17),
		"many":    "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: y\r\n", 1<<15),
		"interim": strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 1<<13),
	} {
		t.Run(name, func(t *testing.T) {
			server := start(t, func(p *peer) { p.read(); p.write(text); p.gone() })
			_, _, err := post(t, newTransport(t), server.url(), "Hi")
			require.ErrorContains(t, err, "headers exceeded 65536 bytes")
		})
	}
}

func TestABodyIsNotBoundedAsHeadersAre(t *testing.T) {
	server := start(t, echo)
	transport := newTransport(t)
	requireEcho(t, transport, server.url(), strings.Repeat("x", 1<<18))
	transport.CloseIdleConnections()
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

func TestADialThatFailsSaysSo(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	_, _, err = post(t, newTransport(t), "http://"+listener.Addr().String(), "Hi")
	var operation *net.OpError
	require.ErrorAs(t, err, &operation)
	require.Equal(t, "dial", operation.Op)
}

func TestWhatIsUncommonIsLeftToOthers(t *testing.T) {
	for name, change := range map[string]func(*http.Request){
		"https":               func(r *http.Request) { r.URL.Scheme = "https" },
		"GET":                 func(r *http.Request) { r.Method = http.MethodGet },
		"a user":              func(r *http.Request) { r.URL.User = url.User("me") },
		"no host":             func(r *http.Request) { r.URL.Host = "" },
		"a port alone":        func(r *http.Request) { r.URL.Host = ":80" },
		"a host in Unicode":   func(r *http.Request) { r.URL.Host = "bücher.example" },
		"a zone":              func(r *http.Request) { r.URL.Host = "[fe80::1%25eth0]:80" },
		"a split header":      func(r *http.Request) { r.Header.Set("X-A", "b\r\nC: d") },
		"a split name":        func(r *http.Request) { r.Header["X-A\r\nB"] = []string{"c"} },
		"a split host":        func(r *http.Request) { r.Host = "x\r\nA: b" },
		"a split query":       func(r *http.Request) { r.URL.RawQuery = "a=b HTTP/1.1\r\n" },
		"no body":             func(r *http.Request) { r.Body = nil },
		"no length":           func(r *http.Request) { r.ContentLength = -1 },
		"a body to read once": func(r *http.Request) { r.GetBody = nil },
		"an upgrade":          func(r *http.Request) { r.Header.Set("Connection", "Upgrade") },
		"an expectation":      func(r *http.Request) { r.Header.Set("Expect", "100-continue") },
		"a key to repeat":     func(r *http.Request) { r.Header.Set("Idempotency-Key", "1") },
		"an encoding":         func(r *http.Request) { r.Header.Set("Accept-Encoding", "br") },
		"to be closed":        func(r *http.Request) { r.Close = true },
		"chunked":             func(r *http.Request) { r.TransferEncoding = []string{"chunked"} },
		"a trailer":           func(r *http.Request) { r.Trailer = http.Header{"A": nil} },
	} {
		t.Run(name, func(t *testing.T) {
			req := newRequest(t.Context(), "http://127.0.0.1/v1", "Hi")
			require.True(t, h1.Speaks(req))
			change(req)
			require.False(t, h1.Speaks(req))
		})
	}
}
