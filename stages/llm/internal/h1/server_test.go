//go:build unix

package h1_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/llm/internal/h1"
)

// server meets each connection with a function, and closes it when that returns.
type server struct {
	listener net.Listener
	accepted atomic.Int64
	requests atomic.Int64  // read whole
	read     chan struct{} // gets one where a request is read and nobody has been told of the last
	wg       sync.WaitGroup
}

type peer struct {
	net.Conn
	server *server
	r      *bufio.Reader
}

func start(t *testing.T, meet func(*peer)) *server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &server{listener: listener, read: make(chan struct{}, 1)}
	s.wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.accepted.Add(1)
			s.wg.Go(func() {
				defer conn.Close()
				meet(&peer{Conn: conn, server: s, r: bufio.NewReader(conn)})
			})
		}
	})
	t.Cleanup(func() { _ = listener.Close(); s.wg.Wait() })
	return s
}

func (s *server) url() string { return "http://" + s.listener.Addr().String() + "/v1/chat/completions" }

// read reads one whole request, and returns its body. It is false when there is none.
func (p *peer) read() (string, bool) {
	r, err := http.ReadRequest(p.r)
	if err != nil {
		return "", false
	}
	body, err := io.ReadAll(r.Body)
	if err == nil {
		p.server.requests.Add(1)
		select {
		case p.server.read <- struct{}{}:
		default:
		}
	}
	return string(body), err == nil
}

func (p *peer) write(text string) { _, _ = io.WriteString(p.Conn, text) }

// gone waits until the client closes the connection.
func (p *peer) gone() { _, _ = io.Copy(io.Discard, p.r) }

func answer(body string, header ...string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n%s", len(body), strings.Join(header, ""), body)
}

func chunk(text string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(text), text) }

// echo answers every request with its body.
func echo(p *peer) {
	for {
		body, ok := p.read()
		if !ok {
			return
		}
		p.write(answer(body))
	}
}

func newTransport(t *testing.T) *h1.Transport {
	t.Helper()
	transport := &h1.Transport{
		Dial: new(net.Dialer).DialContext, MaxIdlePerHost: 10_000, IdleTimeout: time.Minute, MaxHeaderBytes: 1 << 16,
	}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

func newRequest(ctx context.Context, url, body string) *http.Request {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	return req
}

// post makes one call, and returns status and body.
func post(t *testing.T, transport http.RoundTripper, url, body string) (int, string, error) {
	t.Helper()
	req := newRequest(t.Context(), url, body)
	require.True(t, h1.Speaks(req))
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

func requireAnswer(t *testing.T, transport http.RoundTripper, url, body, want string) {
	t.Helper()
	status, got, err := post(t, transport, url, body)
	require.NoError(t, err)
	require.Equal(t, 200, status)
	require.Equal(t, want, got)
}

func requireEcho(t *testing.T, transport http.RoundTripper, url, body string) {
	t.Helper()
	requireAnswer(t, transport, url, body, body)
}
