package mcp

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
)

func filtered(t testing.TB, stream io.Reader, call any, limit int64) string {
	t.Helper()
	id, err := jsonrpc.MakeID(call)
	require.NoError(t, err)
	e := newEvents(stream, id, limit, &asked{}, zap.NewNop())
	e.stop = func() {}
	out, err := io.ReadAll(e)
	require.NoError(t, err)
	return string(out)
}

func TestEventsReachTheSDKUpToTheCallsAnswer(t *testing.T) {
	const note = `{"jsonrpc":"2.0","method":"notifications/progress"}`
	answer := good("1")
	for in, want := range map[string]string{
		"":                              "",
		"\n\n\n":                        "",
		"id: 7\n\n":                     "id: 7\n\n",
		"id: 7\ndata: torn {\n\n":       "id: 7\n\n",
		"data:" + note + "\n\n":         "data: " + note + "\n\n",
		"data: " + answer:               "data: " + answer + "\n\n",
		"data: " + answer + "\n\nid: 9": "data: " + answer + "\n\n",
		"data: " + strings.Replace(answer, ",", ",\ndata: ", 1) + "\n\n": "data: " + strings.Replace(answer, ",", ",\ndata: ", 1) + "\n\n",
		"event: x\ndata: " + note + "\n\ndata: " + note + "\n\n":         "data: " + note + "\n\n",
	} {
		require.Equal(t, want, filtered(t, strings.NewReader(in), 1.0, 1000), in)
		require.Equal(t, want, filtered(t, iotest.OneByteReader(strings.NewReader(in)), 1.0, 1000), in)
	}
}

func TestALongEventEndsTheServersOwnStream(t *testing.T) {
	in := "data: " + strings.Repeat("x", 100) + "\n\ndata: " + good("1") + "\n\n"
	require.Empty(t, filtered(t, strings.NewReader(in), nil, 50))
	require.Contains(t, filtered(t, strings.NewReader(in), 1.0, 50), "more than the 50 bytes")
}

func FuzzEvents(f *testing.F) {
	f.Add([]byte("id: 1\nevent: message\ndata: " + good("1") + "\n\n"))
	f.Add([]byte(":\r\n\r\ndata\ndata:\nretry: 5\n\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		out := filtered(t, bytes.NewReader(in), 1.0, 200)
		for line := range strings.Lines(out) {
			field, _, ok := strings.Cut(strings.TrimRight(line, "\n"), ": ")
			require.True(t, ok || field == "", line)
			require.Contains(t, []string{"", "id", "retry", "data"}, field)
		}
		require.Equal(t, out, filtered(t, strings.NewReader(out), 1.0, 1000), "what is passed on passes again")
	})
}
