package llm_test

import (
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/llm"
)

// The parts of HTTP/2 that a server without manners needs: https://www.rfc-editor.org/rfc/rfc9113
const (
	preface       = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	frameData     = 0
	frameHeaders  = 1
	frameReset    = 3
	frameSettings = 4
	framePing     = 6
	frameGoAway   = 7
	flagEnd       = 1 // of a stream; of settings and pings: an acknowledgement
	flagHeaders   = 4 // the headers end here
	status200     = "\x88"
)

// startHTTP2 starts a server that meets each whole request with act. n counts the requests to the server, from 1.
func startHTTP2(t *testing.T, settings string, act func(c *http2Conn, stream uint32, n int32)) (*hostile, *http.Client) {
	t.Helper()
	certificate, pool := certify(t, "127.0.0.1", time.Now().Add(24*time.Hour))
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	listener := tls.NewListener(plain, &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2"}})
	server := serveHostile(t, listener, func(c *hostileConn) {
		c.server.serveHTTP2(&http2Conn{hostileConn: c}, settings, act)
	})
	return server, trusting(t, pool)
}

type http2Conn struct {
	*hostileConn
	mu     sync.Mutex
	silent bool   // to pings
	last   uint32 // the last stream that is worked on; 0: all
}

func (s *hostile) serveHTTP2(c *http2Conn, settings string, act func(c *http2Conn, stream uint32, n int32)) {
	if _, err := io.ReadFull(c.r, make([]byte, len(preface))); err != nil {
		return
	}
	c.frame(frameSettings, 0, 0, settings)
	for {
		var head [9]byte
		if _, err := io.ReadFull(c.r, head[:]); err != nil {
			return
		}
		length := int(head[0])<<16 | int(head[1])<<8 | int(head[2])
		payload := make([]byte, length)
		if _, err := io.ReadFull(c.r, payload); err != nil {
			return
		}
		kind, flags, stream := head[3], head[4], binary.BigEndian.Uint32(head[5:])&(1<<31-1)
		switch {
		case kind == frameSettings && flags&flagEnd == 0:
			c.frame(frameSettings, flagEnd, 0, "")
		case kind == framePing && flags&flagEnd == 0 && !c.silent:
			c.frame(framePing, flagEnd, 0, string(payload))
		case c.last != 0 && stream > c.last:
			return
		case (kind == frameData || kind == frameHeaders) && flags&flagEnd != 0:
			act(c, stream, s.requests.Add(1))
		}
	}
}

func (c *http2Conn) frame(kind, flags byte, stream uint32, payload string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(payload)
	head := []byte{byte(n >> 16), byte(n >> 8), byte(n), kind, flags}
	c.write(string(binary.BigEndian.AppendUint32(head, stream)) + payload)
}

func (c *http2Conn) answer(stream uint32) {
	c.frame(frameHeaders, flagHeaders, stream, status200)
	c.frame(frameData, flagEnd, stream, goodBody)
}

// goAway says that the last stream it works on is last.
func (c *http2Conn) goAway(last uint32) {
	c.frame(frameGoAway, 0, 0, string(binary.BigEndian.AppendUint32(nil, last))+"\x00\x00\x00\x00")
}

func (c *http2Conn) resetStream(stream, code uint32) {
	c.frame(frameReset, 0, stream, string(binary.BigEndian.AppendUint32(nil, code)))
}

type http2Act = func(c *http2Conn, stream uint32, n int32)

// first meets the first request with act, and answers the others.
func first(act func(c *http2Conn, stream uint32)) http2Act {
	return func(c *http2Conn, stream uint32, n int32) {
		if n > 1 {
			c.answer(stream)
			return
		}
		act(c, stream)
	}
}

func TestHTTP2ServersThatMisbehaveEndInOneResult(t *testing.T) {
	for name, test := range map[string]struct {
		act   http2Act
		hangs bool
		want  outcome
		sent  int32 // how often the request was sent
	}{
		"answers":                        {act: func(c *http2Conn, stream uint32, _ int32) { c.answer(stream) }, want: answered, sent: 1},
		"says nothing":                   {act: func(*http2Conn, uint32, int32) {}, hangs: true, want: noAnswer, sent: 1},
		"sends headers and nothing more": {act: func(c *http2Conn, stream uint32, _ int32) { c.frame(frameHeaders, flagHeaders, stream, status200) }, hangs: true, want: noAnswer, sent: 1},
		"goes away and answers":          {act: first(func(c *http2Conn, stream uint32) { c.goAway(stream); c.answer(stream) }), want: answered, sent: 1},
		"goes away before it began":      {act: first(func(c *http2Conn, _ uint32) { c.goAway(0) }), want: answered, sent: 2},
		"goes away amid its work":        {act: first(func(c *http2Conn, stream uint32) { c.goAway(stream); _ = c.Close() }), want: broken, sent: 1},
		"closes":                         {act: first(func(c *http2Conn, _ uint32) { _ = c.Close() }), want: broken, sent: 1},
		"closes amid the body": {act: first(func(c *http2Conn, stream uint32) {
			c.frame(frameHeaders, flagHeaders, stream, status200)
			c.frame(frameData, 0, stream, "{")
			_ = c.Close()
		}), want: broken.saying("unexpected EOF"), sent: 1},
		"resets the stream amid the body": {act: first(func(c *http2Conn, stream uint32) {
			c.frame(frameHeaders, flagHeaders, stream, status200)
			c.frame(frameData, 0, stream, "{")
			c.resetStream(stream, 2)
		}), want: broken.saying("INTERNAL_ERROR"), sent: 1},
		"resets the stream after the body":   {act: first(func(c *http2Conn, stream uint32) { c.answer(stream); c.resetStream(stream, 0) }), want: answered, sent: 1},
		"answers in no HTTP/2":               {act: first(func(c *http2Conn, _ uint32) { c.write(goodAnswer + strings.Repeat(" ", 1<<16)) }), want: broken, sent: 1},
		"answers with headers that are none": {act: first(func(c *http2Conn, stream uint32) { c.frame(frameHeaders, flagHeaders, stream, "\xff\xff\xff\xff") }), want: broken, sent: 1},
		"answers without a status":           {act: first(func(c *http2Conn, stream uint32) { c.frame(frameHeaders, flagHeaders|flagEnd, stream, "") }), want: broken.saying("malformed response"), sent: 1},
		"answers with an empty body":         {act: first(func(c *http2Conn, stream uint32) { c.frame(frameHeaders, flagHeaders|flagEnd, stream, status200) }), want: serverFailed.saying("the answer is empty"), sent: 1},
		"answers with endless headers": {act: first(func(c *http2Conn, stream uint32) {
			c.frame(frameHeaders, 0, stream, status200)
			c.floodFrames(9, stream)
		}), want: broken, sent: 1},
		"resets with NO_ERROR":                 {act: first(func(c *http2Conn, stream uint32) { c.resetStream(stream, 0) }), want: broken.saying("NO_ERROR"), sent: 1},
		"resets with PROTOCOL_ERROR":           {act: first(func(c *http2Conn, stream uint32) { c.resetStream(stream, 1) }), want: answered, sent: 2},
		"resets with INTERNAL_ERROR":           {act: first(func(c *http2Conn, stream uint32) { c.resetStream(stream, 2) }), want: broken.saying("INTERNAL_ERROR"), sent: 1},
		"resets with FLOW_CONTROL_ERROR":       {act: first(func(c *http2Conn, stream uint32) { c.resetStream(stream, 3) }), want: broken.saying("FLOW_CONTROL_ERROR"), sent: 1},
		"resets with SETTINGS_TIMEOUT":         {act: first(func(c *http2Conn, stream uint32) { c.resetStream(stream, 4) }), want: broken.saying("SETTINGS_TIMEOUT"), sent: 1},
		"resets with STREAM_CLOSED":            {act: first(func(c *http2Conn, stream uint32) { c.resetStream(stream, 5) }), want: broken.saying("STREAM_CLOSED"), sent: 1},
		"resets with FRAME_SIZE_ERROR":         {act: first(func(c *http2Conn, stream uint32) { c.resetStream(stream, 6) }), want: broken.saying("FRAME_SIZE_ERROR"), sent: 1},
		"resets with REFUSED_STREAM":           {act: first(func(c *http2Conn, stream uint32) { c.resetStream(stream, 7) }), want: answered, sent: 2},
		"resets with CANCEL":                   {act: first(func(c *http2Conn, stream uint32) { c.resetStream(stream, 8) }), want: broken.saying("CANCEL"), sent: 1},
		"resets with COMPRESSION_ERROR":        {act: first(func(c *http2Conn, stream uint32) { c.resetStream(stream, 9) }), want: broken.saying("COMPRESSION_ERROR"), sent: 1},
		"resets with CONNECT_ERROR":            {act: first(func(c *http2Conn, stream uint32) { c.resetStream(stream, 10) }), want: broken.saying("CONNECT_ERROR"), sent: 1},
		"resets with ENHANCE_YOUR_CALM":        {act: first(func(c *http2Conn, stream uint32) { c.resetStream(stream, 11) }), want: broken.saying("ENHANCE_YOUR_CALM"), sent: 1},
		"resets with INADEQUATE_SECURITY":      {act: first(func(c *http2Conn, stream uint32) { c.resetStream(stream, 12) }), want: broken.saying("INADEQUATE_SECURITY"), sent: 1},
		"resets with HTTP_1_1_REQUIRED":        {act: first(func(c *http2Conn, stream uint32) { c.resetStream(stream, 13) }), want: broken.saying("HTTP_1_1_REQUIRED"), sent: 1},
		"resets with a code that nobody knows": {act: first(func(c *http2Conn, stream uint32) { c.resetStream(stream, 4711) }), want: broken.saying("unknown error code 0x1267"), sent: 1},
	} {
		t.Run(name, func(t *testing.T) {
			noLeaks(t)
			server, doer := startHTTP2(t, "", test.act)
			url := strings.Replace(server.url(), "http:", "https:", 1)
			client := llm.Timeout(connect(t, llm.ClientConfig{BaseURL: url, APIKey: testKey, HTTPClient: doer, MaxResponseBytes: 1 << 20}))
			call := ask("Hello")
			call.Timeout = amply
			if test.hangs {
				call.Timeout = shortly
			}
			answer, err := client.Complete(t.Context(), call)
			test.want.require(t, answer, err)
			require.Equal(t, test.sent, server.requests.Load())
			if !test.hangs {
				answer, err = client.Complete(t.Context(), call)
				answered.require(t, answer, err)
			}
			server.stop(doer.CloseIdleConnections)
		})
	}
}

// floodFrames sends a great many frames of one kind, whatever the client's window.
func (c *http2Conn) floodFrames(kind byte, stream uint32) {
	fill := strings.Repeat("\x00\x01x\x01y", 3000)
	for range 1000 {
		c.frame(kind, 0, stream, fill)
	}
}

func TestHTTP2ServerThatGoesAwayBetweenCallsIsConnectedToAgain(t *testing.T) {
	noLeaks(t)
	server, doer := startHTTP2(t, "", func(c *http2Conn, stream uint32, _ int32) {
		c.answer(stream)
		c.goAway(stream)
		c.last = stream
	})
	// A connection that the server says goodbye to, but leaves open, is left to this.
	doer.Transport.(*http.Transport).IdleConnTimeout = shortly
	url := strings.Replace(server.url(), "http:", "https:", 1)
	client := connect(t, llm.ClientConfig{BaseURL: url, HTTPClient: doer})
	for range 5 {
		answer, err := client.Complete(t.Context(), ask("Hello"))
		answered.require(t, answer, err)
	}
	require.Equal(t, int32(5), server.requests.Load(), "no call is made twice")
	server.stop(doer.CloseIdleConnections)
}

func TestHTTP2ServerOfOneStreamGetsAllCalls(t *testing.T) {
	noLeaks(t)
	const maxConcurrentStreams = "\x00\x03\x00\x00\x00\x01"
	server, doer := startHTTP2(t, maxConcurrentStreams, func(c *http2Conn, stream uint32, _ int32) { c.answer(stream) })
	url := strings.Replace(server.url(), "http:", "https:", 1)
	client := connect(t, llm.ClientConfig{BaseURL: url, HTTPClient: doer})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			answer, err := client.Complete(t.Context(), ask("Hello"))
			if err != nil || answer.Text != "Hi" {
				t.Errorf("got %v and %v", answer, err)
			}
		})
	}
	wg.Wait()
	require.Equal(t, int32(20), server.requests.Load(), "no call is made twice")
	server.stop(doer.CloseIdleConnections)
}

func TestHTTP2ConnectionThatDiesInSilenceIsNoticed(t *testing.T) {
	noLeaks(t)
	server, doer := startHTTP2(t, "", func(c *http2Conn, _ uint32, _ int32) { c.silent = true })
	transport := doer.Transport.(*http.Transport)
	require.Positive(t, transport.HTTP2.SendPingTimeout)
	require.Positive(t, transport.HTTP2.PingTimeout)
	transport.HTTP2 = &http.HTTP2Config{SendPingTimeout: 50 * time.Millisecond, PingTimeout: 50 * time.Millisecond}
	url := strings.Replace(server.url(), "http:", "https:", 1)
	client := connect(t, llm.ClientConfig{BaseURL: url, HTTPClient: doer})
	answer, err := client.Complete(t.Context(), ask("Hello"))
	broken.saying("client connection lost").require(t, answer, err)
	require.Equal(t, int32(1), server.requests.Load())
	server.stop(doer.CloseIdleConnections)
}
