package llm_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sashabaranov/go-openai"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

// hostile is a server that does what no net/http server would. Once it is calm, it answers every request well.
type hostile struct {
	t        *testing.T
	listener net.Listener
	act      func(*hostileConn)
	calm     atomic.Bool
	requests atomic.Int32 // read whole
	sent     atomic.Int64 // bytes that the kernel took
	wg       sync.WaitGroup
}

// startHostile starts a server that meets each connection with act, and closes it when act returns.
func startHostile(t *testing.T, act func(*hostileConn)) *hostile {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return serveHostile(t, listener, act)
}

func serveHostile(t *testing.T, listener net.Listener, act func(*hostileConn)) *hostile {
	t.Helper()
	s := &hostile{t: t, listener: listener, act: act}
	s.wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.wg.Go(func() { s.meet(conn) })
		}
	})
	return s
}

func (s *hostile) url() string { return "http://" + s.listener.Addr().String() + "/v1" }

func (s *hostile) meet(conn net.Conn) {
	c := &hostileConn{Conn: conn, server: s, r: bufio.NewReader(conn)}
	defer c.Close()
	if !s.calm.Load() {
		s.act(c)
		return
	}
	for c.request() {
		c.write(goodAnswer)
	}
}

// stop waits until the other side has closed every connection. closeIdle closes those that the client keeps; it is called
// again and again, since net/http may keep one a moment later.
func (s *hostile) stop(closeIdle func()) {
	s.t.Helper()
	_ = s.listener.Close()
	done := make(chan struct{})
	go func() { s.wg.Wait(); close(done) }()
	deadline := time.After(time.Minute)
	for {
		closeIdle()
		select {
		case <-done:
			return
		case <-time.After(10 * time.Millisecond):
		case <-deadline:
			s.t.Fatal("a connection is still open")
		}
	}
}

type hostileConn struct {
	net.Conn
	server *hostile
	r      *bufio.Reader
}

// request reads one whole request. It is false when there is none.
func (c *hostileConn) request() bool {
	r, err := http.ReadRequest(c.r)
	if err != nil {
		return false
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return false
	}
	c.server.requests.Add(1)
	return true
}

// write writes, and is false when the client has gone.
func (c *hostileConn) write(text string) bool {
	n, err := io.WriteString(c.Conn, text)
	c.server.sent.Add(int64(n))
	return err == nil
}

// reset has the connection end with RST.
func (c *hostileConn) reset() { _ = c.Conn.(*net.TCPConn).SetLinger(0) }

// gone waits until the client closes the connection.
func (c *hostileConn) gone() { _, _ = io.Copy(io.Discard, c.r) }

// drip writes again and again, with pauses, until the client goes.
func (c *hostileConn) drip(text string) {
	for c.write(text) {
		time.Sleep(time.Millisecond) // the pace of a server, which no result depends on
	}
}

// flood writes again and again until the client goes.
func (c *hostileConn) flood(text string) {
	for c.write(text) {
	}
}

var (
	goodBody   = choice(`{"role":"assistant","content":"Hi"}`, "stop")
	goodAnswer = withLength(200, goodBody)
)

func withLength(status int, body string) string {
	return fmt.Sprintf("HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s", status, len(body), body)
}

func chunk(text string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(text), text) }

const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

// outcome is what a call against a hostile server ends in. The zero kind is an answer.
type outcome struct {
	kind      batch.ErrorKind
	retryable bool
	fatal     bool
	status    int
	text      string
}

var (
	noAnswer = outcome{kind: batch.ErrAPITimeout, retryable: true, text: "no answer within"}
	broken   = outcome{kind: batch.ErrAPIConnection, retryable: true}
	answered = outcome{}
)

func (o outcome) saying(text string) outcome {
	o.text = text
	return o
}

func (o outcome) require(t *testing.T, answer *llm.Answer, err error) {
	t.Helper()
	if o.kind == "" {
		require.NoError(t, err)
		require.Equal(t, "Hi", answer.Text)
		return
	}
	require.Nil(t, answer)
	e := asError(t, err)
	require.Equal(t, o.kind, e.Kind, err)
	require.Equal(t, o.retryable, e.Retryable, err)
	require.Equal(t, o.fatal, e.Fatal, err)
	require.Equal(t, o.status, e.Status, err)
	require.ErrorContains(t, err, o.text)
	require.Less(t, len(err.Error()), 2000)
	requireNoKey(t, err)
}

// shortly is for calls that nobody answers, soon for those that are answered in part, amply for those that must end before.
const (
	shortly = 150 * time.Millisecond
	soon    = 2 * time.Second
	amply   = time.Minute
)

func askWithin(timeout time.Duration) *llm.Call {
	call := ask(strings.Repeat("Hello ", 1<<13)) // more than a few packets
	call.Timeout = timeout
	return call
}

// requireRecovery makes a good call. A connection that the server closes just as it is used again is for a retry to mend.
func requireRecovery(t *testing.T, client llm.Completer) {
	t.Helper()
	call := askWithin(amply)
	answer, err := client.Complete(t.Context(), call)
	if errors.Is(err, batch.ErrAPIConnection) && asError(t, err).Retryable {
		answer, err = client.Complete(t.Context(), call)
	}
	answered.require(t, answer, err)
}

// within is the timeout of the case's call.
func (c *connectionCase) within(want outcome) time.Duration {
	switch {
	case !c.hangs || want == answered:
		return amply
	case want.status != 0:
		return soon
	}
	return shortly
}

// noLeaks fails the test if goroutines are left of what comes after.
func noLeaks(t *testing.T) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

// throughGoOpenAI is go-openai's client, and the transport that it uses.
func throughGoOpenAI(url string) (llm.Completer, *http.Transport) {
	transport := llm.NewTransport(0)
	config := openai.DefaultConfig(testKey)
	config.BaseURL, config.HTTPClient = url, &http.Client{Transport: transport}
	return llm.Timeout(llm.OpenAI(openai.NewClientWithConfig(config))), transport
}

// allocated is what the whole process allocates while fn runs.
func allocated(fn func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fn()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
