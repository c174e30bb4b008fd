package llm_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

// after reads the request first.
func after(act func(*hostileConn)) func(*hostileConn) {
	return func(c *hostileConn) {
		if c.request() {
			act(c)
		}
	}
}

// says answers the request with a text and ends the connection in good order.
func says(text string) func(*hostileConn) {
	return after(func(c *hostileConn) { c.write(text) })
}

// resets answers the request with a text and resets the connection.
func resets(text string) func(*hostileConn) {
	return after(func(c *hostileConn) {
		c.write(text)
		c.reset()
	})
}

// holds answers the request with a text and leaves the connection open.
func holds(text string) func(*hostileConn) {
	return after(func(c *hostileConn) {
		c.write(text)
		c.gone()
	})
}

type connectionCase struct {
	act   func(*hostileConn)
	hangs bool // only the timeout ends the call
	// floods says that the body has no end, which go-openai would wait for.
	floods bool
	want   outcome
	// adapter is what go-openai makes of it, where that differs.
	adapter *outcome
}

var (
	serverFailed = outcome{kind: batch.ErrServer, retryable: true, status: 200}
	tooLarge     = outcome{kind: batch.ErrServer, status: 200, text: "larger than 1048576 bytes"}
)

var hostileConnections = map[string]connectionCase{
	// Nobody answers.
	"accepts and says nothing":  {act: (*hostileConn).gone, hangs: true, want: noAnswer},
	"reads and says nothing":    {act: after((*hostileConn).gone), hangs: true, want: noAnswer},
	"headers trickle":           {act: after(func(c *hostileConn) { c.write("HTTP/1.1 200 OK\r\n"); c.drip("X: y\r\n") }), hangs: true, want: noAnswer},
	"a header never ends":       {act: holds("HTTP/1.1 200 OK\r\nX-Half: "), hangs: true, want: noAnswer},
	"body never comes":          {act: holds("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"), hangs: true, want: noAnswer},
	"body trickles":             {act: after(func(c *hostileConn) { c.write(chunked); c.drip(chunk(" ")) }), hangs: true, want: noAnswer},
	"body stops":                {act: holds(chunked + chunk(`{"choices":`)), hangs: true, want: noAnswer},
	"the last chunk never ends": {act: holds(chunked + chunk(goodBody)), hangs: true, want: noAnswer, adapter: &answered},
	"early hints trickle":       {act: after(func(c *hostileConn) { c.drip("HTTP/1.1 103 Early Hints\r\n\r\n") }), hangs: true, want: noAnswer},

	// Connections that end at every stage.
	"closes at once":           {act: func(*hostileConn) {}, want: broken},
	"resets at once":           {act: (*hostileConn).reset, want: broken},
	"resets amid the request":  {act: func(c *hostileConn) { _, _ = c.r.Peek(1000); c.reset() }, want: broken},
	"closes after the request": {act: says(""), want: broken.saying("EOF")},
	"resets after the request": {act: resets(""), want: broken.saying("connection reset by peer")},
	"closes amid the headers":  {act: says("HTTP/1.1 200 OK\r\nContent-"), want: broken.saying("malformed MIME header")},
	"resets after the headers": {act: resets("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"), want: broken.saying("connection reset by peer")},
	"closes amid the body":     {act: says("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"), want: broken.saying("unexpected EOF")},
	"resets amid the body":     {act: resets(chunked + chunk(`{"choices":`)), want: broken.saying("connection reset by peer")},
	"resets after the body":    {act: resets(goodAnswer), want: answered},

	// Lengths that lie.
	"length too long":             {act: says(strings.Replace(goodAnswer, "Content-Length: ", "Content-Length: 9", 1)), want: broken.saying("unexpected EOF"), adapter: &answered},
	"length too short":            {act: says("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n" + goodBody), want: serverFailed.saying("JSON ends early"), adapter: &broken},
	"length negative":             {act: says("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n" + goodBody), want: broken.saying("bad Content-Length")},
	"two lengths":                 {act: says("HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Length: 8\r\n\r\n" + goodBody), want: broken.saying("Content-Length")},
	"no length":                   {act: says("HTTP/1.0 200 OK\r\n\r\n" + goodBody), want: answered},
	"no length, and cut off":      {act: says("HTTP/1.1 200 OK\r\n\r\n" + goodBody[:40]), want: serverFailed.saying("JSON ends early"), adapter: &broken},
	"chunk broken":                {act: says(chunked + "5\r\n{\"cho"), want: broken.saying("unexpected EOF")},
	"chunk longer than it says":   {act: says(chunked + "3\r\n{\"choices\":\r\n0\r\n\r\n"), want: broken.saying("malformed chunked encoding")},
	"chunk shorter than it says":  {act: says(chunked + "ff\r\n{}\r\n0\r\n\r\n"), want: broken.saying("unexpected EOF"), adapter: &serverFailed},
	"chunk of no number":          {act: says(chunked + "lots\r\n{}\r\n0\r\n\r\n"), want: broken.saying("invalid byte in chunk length")},
	"chunk of 2^64":               {act: says(chunked + "fffffffffffffffff\r\n{}\r\n0\r\n\r\n"), want: broken.saying("chunk length too large")},
	"last chunk missing":          {act: says(chunked + chunk(goodBody)), want: broken.saying("unexpected EOF"), adapter: &answered},
	"gzip that is none":           {act: says("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + goodBody), want: broken.saying("gzip: invalid header")},
	"gzip that breaks off":        {act: says(withEncoding(gzipped(goodBody)[:20])), want: broken.saying("unexpected EOF")},
	"gzip whose checksum is off":  {act: says(withEncoding(gzipped(goodBody)[:len(gzipped(goodBody))-8] + "12345678")), want: broken.saying("gzip: invalid checksum"), adapter: &answered},
	"answers before it has read":  {act: func(c *hostileConn) { _, _ = c.r.Peek(1000); c.write(goodAnswer); c.request() }, want: answered},
	"continues without being so":  {act: says("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + goodAnswer), want: answered},
	"says more than was asked":    {act: says(goodAnswer + goodAnswer), want: answered},
	"switches protocols":          {act: says("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n" + goodBody), want: outcome{kind: batch.ErrServer, retryable: true, status: 101, text: "101 Switching Protocols"}},
	"not HTTP":                    {act: says("SSH-2.0-OpenSSH_9.9\r\n\r\n"), want: broken.saying("malformed HTTP")},
	"TLS":                         {act: says("\x15\x03\x01\x00\x02\x02\x46"), want: broken.saying("malformed HTTP")},
	"a status that is no number":  {act: says("HTTP/1.1 OK 200\r\n\r\n"), want: broken.saying("malformed HTTP status code")},
	"status 99":                   {act: says("HTTP/1.1 099 X\r\nContent-Length: 0\r\n\r\n"), want: outcome{kind: batch.ErrServer, retryable: true, status: 99, text: "99"}},
	"a line that is no header":    {act: says("HTTP/1.1 200 OK\r\n" + strings.Repeat("what is this ", 50_000) + "\r\n\r\n"), want: broken.saying("malformed MIME header")},
	"a header that is no header":  {act: says("HTTP/1.1 200 OK\r\nwhat is this\r\n\r\n"), want: broken.saying("malformed MIME header")},
	"an error, then nothing more": {act: holds("HTTP/1.1 401 X\r\nContent-Length: 9\r\n\r\n"), hangs: true, want: outcome{kind: batch.ErrAuthentication, status: 401, text: "401 Unauthorized"}, adapter: &noAnswer},
	"an error that breaks off":    {act: resets("HTTP/1.1 429 X\r\nRetry-After: 7\r\nContent-Length: 9\r\n\r\n{"), want: outcome{kind: batch.ErrRateLimit, retryable: true, status: 429, text: "429 Too Many Requests"}, adapter: &broken},

	// Too much.
	"endless headers": {act: after(func(c *hostileConn) {
		c.write("HTTP/1.1 200 OK\r\n")
		c.flood("X-Header: " + strings.Repeat("y", 1000) + "\r\n")
	}), want: broken.saying("headers exceeded 1048576 bytes")},
	"an endless header": {act: after(func(c *hostileConn) { c.write("HTTP/1.1 200 OK\r\nX-Header: "); c.flood(strings.Repeat("y", 1<<16)) }), want: broken.saying("headers exceeded 1048576 bytes")},
	"an endless status": {act: after(func(c *hostileConn) { c.flood(strings.Repeat("HTTP/1.1 ", 1<<10)) }), want: broken.saying("headers exceeded 1048576 bytes")},
	"endless early hints": {act: after(func(c *hostileConn) {
		c.flood("HTTP/1.1 103 Early Hints\r\nLink: " + strings.Repeat("y", 1000) + "\r\n\r\n")
	}), want: broken.saying("1048576 bytes")},
	"endless body": {act: after(func(c *hostileConn) { c.write(chunked); c.flood(chunk(strings.Repeat(" ", 1<<16))) }), floods: true, want: tooLarge},
	"announced body": {act: after(func(c *hostileConn) {
		c.write("HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
		c.flood(strings.Repeat(" ", 1<<16))
	}), floods: true, want: tooLarge},
	"endless error": {act: after(func(c *hostileConn) { c.write("HTTP/1.1 503 X\r\n\r\n"); c.flood(strings.Repeat("no ", 1<<16)) }), floods: true, want: outcome{kind: batch.ErrServer, retryable: true, status: 503, text: "503 Service Unavailable: no no"}},
	"gzip bomb": {act: after(func(c *hostileConn) {
		c.write("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n")
		c.flood(gzipped(strings.Repeat(" ", 1<<20)))
	}), floods: true, want: tooLarge},
}

// mayHaveSent is how much may lie in the buffers of two sockets, beside the client's own.
const mayHaveSent = 16 << 20

func TestHostileConnectionsEndInOneResult(t *testing.T) {
	overEachTransport(t, func(t *testing.T, newDoer func() doer) {
		for name, test := range hostileConnections {
			t.Run(name, func(t *testing.T) {
				noLeaks(t)
				server := startHostile(t, test.act)
				doer := newDoer()
				client := connect(t, llm.ClientConfig{BaseURL: server.url(), APIKey: testKey, HTTPClient: doer, MaxResponseBytes: 1 << 20})
				answer, err := llm.Timeout(client).Complete(t.Context(), askWithin(test.within(test.want)))
				test.want.require(t, answer, err)
				require.LessOrEqual(t, server.requests.Load(), int32(1), "no call is made twice unseen")
				require.Less(t, server.sent.Load(), int64(mayHaveSent))

				server.calm.Store(true)
				requireRecovery(t, llm.Timeout(client))
				server.stop(doer.CloseIdleConnections)
			})
		}
	})
}

func TestHostileConnectionsEndInOneResultThroughGoOpenAI(t *testing.T) {
	for name, test := range hostileConnections {
		if test.floods {
			continue
		}
		t.Run(name, func(t *testing.T) {
			noLeaks(t)
			server := startHostile(t, test.act)
			client, transport := throughGoOpenAI(server.url())
			want := test.want
			if test.adapter != nil {
				want = *test.adapter
			}
			call := askWithin(test.within(want))
			call.Model = "gpt-4o-mini"
			answer, err := client.Complete(t.Context(), call)
			want.text = ""
			// GOEXPERIMENT=jsonv2 makes a syntax error of a connection that breaks while go-openai decodes.
			if want.kind == batch.ErrAPIConnection && asError(t, err).Kind == batch.ErrServer {
				want = serverFailed
				want.status = 0
			}
			want.require(t, answer, err)
			require.LessOrEqual(t, server.requests.Load(), int32(1), "no call is made twice unseen")

			server.calm.Store(true)
			requireRecovery(t, client)
			server.stop(transport.CloseIdleConnections)
		})
	}
}

func TestHostileAnswersTakeBoundedMemory(t *testing.T) {
	overEachTransport(t, func(t *testing.T, newDoer func() doer) {
		for _, name := range []string{"endless headers", "an endless header", "endless early hints", "endless body", "announced body", "endless error", "gzip bomb"} {
			t.Run(name, func(t *testing.T) {
				server := startHostile(t, hostileConnections[name].act)
				doer := newDoer()
				client := connect(t, llm.ClientConfig{BaseURL: server.url(), HTTPClient: doer, MaxResponseBytes: 1 << 20})
				call := askWithin(0)
				require.Less(t, allocated(func() { _, _ = client.Complete(t.Context(), call) }), uint64(24<<20))
				server.stop(doer.CloseIdleConnections)
			})
		}
	})
}

func gzipped(text string) string {
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return buf.String()
}

func withEncoding(body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}
