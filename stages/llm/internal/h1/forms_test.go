//go:build unix

package h1_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func zipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}

func TestAnswersOfAllFormsAreRead(t *testing.T) {
	for name, test := range map[string]struct {
		answer string
		closes bool // the server's end of the connection tells the end of the answer
		reused bool
	}{
		"with a length":                     {answer: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHello", reused: true},
		"kept alive by name":                {answer: "HTTP/1.1 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 5\r\n\r\nHello", reused: true},
		"with a length, to be closed":       {answer: "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nHello"},
		"to be closed, said among others":   {answer: "HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 5\r\n\r\nHello"},
		"chunked":                           {answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nHe\r\n3;x=y\r\nllo\r\n0\r\n\r\n", reused: true},
		"chunked, with a trailer":           {answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n5\r\nHello\r\n0\r\nX: y\r\n\r\n", reused: true},
		"chunked, to be closed":             {answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nHello\r\n0\r\n\r\n"},
		"compressed":                        {answer: answer(zipped("Hello"), "Content-Encoding: gzip\r\n"), reused: true},
		"compressed and chunked":            {answer: "HTTP/1.1 200 OK\r\nContent-Encoding: GZIP\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(zipped("Hello")) + "0\r\n\r\n", reused: true},
		"without a length":                  {answer: "HTTP/1.1 200 OK\r\n\r\nHello", closes: true},
		"of HTTP/1.0":                       {answer: "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nHello"},
		"of HTTP/1.0, without a length":     {answer: "HTTP/1.0 200 OK\r\n\r\nHello", closes: true},
		"of HTTP/1.0, kept alive":           {answer: "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nHello", reused: true},
		"after interim ones":                {answer: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHello", reused: true},
		"with lines that end in LF":         {answer: "HTTP/1.1 200 OK\nContent-Length: 5\n\nHello", reused: true},
		"with a header over two lines":      {answer: "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 5\r\n\r\nHello", reused: true},
		"with more headers than one buffer": {answer: "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: "+strings.Repeat("y", 100)+"\r\n", 100) + "Content-Length: 5\r\n\r\nHello", reused: true},
	} {
		t.Run(name, func(t *testing.T) {
			server := start(t, func(p *peer) {
				for {
					if _, ok := p.read(); !ok {
						return
					}
					p.write(test.answer)
					if test.closes {
						return
					}
				}
			})
			transport := newTransport(t)
			for range 3 {
				requireAnswer(t, transport, server.url(), "Hi", "Hello")
			}
			connections := int64(3)
			if test.reused {
				connections = 1
			}
			require.Equal(t, connections, server.accepted.Load())
			transport.CloseIdleConnections()
		})
	}
}

func TestAnswersThatBreakOffAreErrors(t *testing.T) {
	for name, text := range map[string]string{
		"before the head": "", "amid the status": "HTTP/1.", "amid the head": "HTTP/1.1 200 OK\r\nX-",
		"before the body": "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "amid the body": "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHell",
		"amid a chunk":    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nHell",
		"between chunks":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nHello\r\n",
		"amid a gzip":     "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + zipped("Hello")[:12],
		"after a 100":     "HTTP/1.1 100 Continue\r\n\r\n",
		"a head too soon": "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			server := start(t, func(p *peer) { p.read(); p.write(text) })
			_, _, err := post(t, newTransport(t), server.url(), "Hi")
			require.Error(t, err)
			require.Equal(t, int64(1), server.requests.Load())
		})
	}
}
