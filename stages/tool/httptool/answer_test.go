package httptool

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/tool"
)

func TestALongBodyIsCutAndItsSizeTold(t *testing.T) {
	for name, test := range map[string]struct {
		length string // Content-Length
		size   int
		want   int64
	}{
		"known":        {"100000", 100000, 100000},
		"counted":      {"", 3500, 3500},
		"too much":     {"", 1 << 30, 0},
		"one too many": {"", 1001, 1001},
	} {
		t.Run(name, func(t *testing.T) {
			var written atomic.Int64
			url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				if test.length != "" {
					w.Header().Set("Content-Length", test.length)
				}
				w.Header().Set("Content-Type", "text/plain")
				for left := test.size; left > 0; {
					n, err := io.WriteString(w, strings.Repeat("x", min(left, 1<<20)))
					written.Add(int64(n))
					if left -= n; err != nil {
						return
					}
					w.(http.Flusher).Flush()
				}
			})
			text, err := call(t, made(t, Config{URL: url, MaxOutput: 1000}), `{}`)
			cut, ok := errors.AsType[*tool.CutError](err)
			require.True(t, ok, err)
			require.Equal(t, test.want, cut.Size)
			require.Equal(t, strings.Repeat("x", 1000), text)
			require.Less(t, written.Load(), int64(1<<29))
		})
	}
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat("x", 1000)) })
	text, err := call(t, made(t, Config{URL: url, MaxOutput: 1000}), `{}`)
	require.NoError(t, err)
	require.Len(t, text, 1000)
}

func TestACompressedBodyIsBoundedAfterDecompression(t *testing.T) {
	var bomb bytes.Buffer
	zipped := gzip.NewWriter(&bomb)
	for range 8 {
		fmt.Fprint(zipped, strings.Repeat("x", 1<<20))
	}
	require.NoError(t, zipped.Close())
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(bomb.Bytes())
	})
	text, err := call(t, made(t, Config{URL: url}), `{}`)
	require.Equal(t, &tool.CutError{}, err)
	require.Len(t, text, 1<<20)
}

func TestAModelReadsTextAndIsToldOfTheRest(t *testing.T) {
	for _, test := range []struct{ kind, body, want string }{
		{"application/json; charset=utf-8", `{"a":1}`, `{"a":1}`},
		{"application/vnd.api+json", `{"a":1}`, `{"a":1}`},
		{"image/svg+xml", `<svg/>`, `<svg/>`},
		{"application/octet-stream", "plain", "plain"},
		{"", "plain", "plain"},
		{"image/png", "\x89PNG", "[image/png, 4 bytes; it can't be shown here]"},
		{"application/octet-stream", "\x00\xff", "[application/octet-stream, 2 bytes; it can't be shown here]"},
		{"nonsense;;", "\xff", "[nonsense, 1 bytes; it can't be shown here]"},
		{"", "\xff", "[data of an unknown type, 1 bytes; it can't be shown here]"},
		{"video/mp4", strings.Repeat("x", 5000), "[video/mp4, 5000 bytes; it can't be shown here]"},
		{"text/plain", "", "HTTP 200 OK"},
	} {
		url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = []string{test.kind}
			fmt.Fprint(w, test.body)
		})
		got, err := call(t, made(t, Config{URL: url, MaxOutput: 2000}), `{}`)
		require.NoError(t, err)
		require.Equal(t, test.want, got)
	}
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	got, err := call(t, made(t, Config{Method: "DELETE", URL: url}), `{}`)
	require.NoError(t, err)
	require.Equal(t, "HTTP 204 No Content", got)
	got, err = call(t, made(t, Config{Method: "HEAD", URL: serve(t, func(http.ResponseWriter, *http.Request) {})}), `{}`)
	require.NoError(t, err)
	require.Equal(t, "HTTP 200 OK", got)
}

func TestAStatusOutside2xxIsAnErrorWithTheBeginningOfItsBody(t *testing.T) {
	for _, test := range []struct {
		status     int
		kind, body string
		want       string
	}{
		{404, "text/plain", "no such city\n", "HTTP 404: no such city"},
		{500, "text/plain", "", "HTTP 500 Internal Server Error"},
		{502, "image/png", "\x89PNG", "HTTP 502 Bad Gateway"},
		{400, "text/plain", strings.Repeat("é", 3000), "HTTP 400: " + strings.Repeat("é", 1024) + "..."},
		{304, "text/plain", "", "HTTP 304 Not Modified"},
	} {
		url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", test.kind)
			w.WriteHeader(test.status)
			fmt.Fprint(w, test.body)
		})
		_, err := call(t, made(t, Config{URL: url}), `{}`)
		require.EqualError(t, err, test.want)
	}
}
