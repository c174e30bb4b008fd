//go:build unix

package h1_test

import (
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/llm/internal/h1"
)

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
