package h1

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzParsedHeadsMeanWhatTheyMeanToNetHTTP checks that what parseHead takes, http.ReadResponse takes for the same.
func FuzzParsedHeadsMeanWhatTheyMeanToNetHTTP(f *testing.F) {
	for _, head := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\nRetry-After: 7\r\nX-Request-Id:  a b \r\ncontent-length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA: 1\r\nA: 2\r\nContent-Length: 1\r\nConnection: Keep-Alive\r\n\r\nx",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 099 X\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
		"HTTP/1.1 200 OK\r\nPragma: no-cache\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nA B: c\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\n: c\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nDate: Mon, 23 Nov 2026 21:00:00 GMT\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
	} {
		f.Add([]byte(head))
	}
	req := &http.Request{Method: http.MethodPost}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, n := parseHead(b, req)
		if got == nil {
			return
		}
		want, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(b)), req)
		require.NoError(t, err)
		wantBody, wantErr := io.ReadAll(want.Body)
		gotBody, gotErr := readFixed(b[n:], got.ContentLength)
		require.Equal(t, wantBody, gotBody)
		require.Equal(t, wantErr, gotErr)
		want.Body = nil
		require.Equal(t, want, got)
	})
}

func readFixed(b []byte, length int64) ([]byte, error) {
	c := &conn{r: bufio.NewReader(bytes.NewReader(b))}
	from := &body{conn: c, left: length}
	got := []byte{}
	buf := make([]byte, 7)
	for from.left > 0 {
		n, err := from.next(buf)
		got = append(got, buf[:n]...)
		if err == io.EOF {
			return got, nil
		}
		if err != nil {
			return got, err
		}
	}
	return got, nil
}

// FuzzRequestsReachTheServerAsNetHTTPSendsThem checks that a server reads the same, whoever wrote it.
func FuzzRequestsReachTheServerAsNetHTTPSendsThem(f *testing.F) {
	f.Add("http://localhost:8080/v1/chat/completions?api-version=1", "", "Authorization", "Bearer sk-1", "{}")
	f.Add("http://127.0.0.1", "example.com", "User-Agent", "gluepipe", "x")
	f.Add("http://[::1]:80/a%2Fb/%20c", "", "X-A", " b ", "x")
	f.Add("http://h/a b?c d#e", "", "X_a", "\t", "x")
	f.Add("http://h//x/../y?", "h:1", "x-a", "é", "x")
	f.Fuzz(func(t *testing.T, address, host, name, value, text string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(text))
		if err != nil {
			return
		}
		if host != "" {
			req.Host = host
		}
		req.Header[name] = []string{value}
		if !Speaks(req) {
			return
		}
		head := appendHead(nil, req)
		got, err := http.ReadRequest(bufio.NewReader(strings.NewReader(string(head) + text)))
		require.NoError(t, err)
		var written bytes.Buffer
		req.Header.Set("Accept-Encoding", "gzip") // by net/http's transport
		require.NoError(t, req.Write(&written))
		want, err := http.ReadRequest(bufio.NewReader(&written))
		require.NoError(t, err)
		gotBody, err := io.ReadAll(got.Body)
		require.NoError(t, err)
		wantBody, err := io.ReadAll(want.Body)
		require.NoError(t, err)
		require.Equal(t, wantBody, gotBody)
		got.Body, want.Body = nil, nil
		require.Equal(t, want, got)
	})
}

func TestDialAddressHasAPort(t *testing.T) {
	for address, want := range map[string]string{
		"http://h": "h:80", "http://h:8080": "h:8080", "http://[::1]": "[::1]:80", "http://[::1]:1": "[::1]:1", "http://h:": "h:80",
	} {
		u, err := url.Parse(address)
		require.NoError(t, err)
		require.Equal(t, want, dialAddress(u), address)
	}
}
