//go:build unix

package h1_test

import (
	"context"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

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
