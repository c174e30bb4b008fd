package llmtest

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"strconv"
	"time"
)

// Fault is a way in which the delivery of an answer goes wrong. Beware that net/http sends a request with an
// Idempotency-Key header again by itself when a connection that it reused is reset.
type Fault int

// The faults. The zero value delivers the answer whole.
const (
	_         Fault = iota
	Reset           // the connection is reset (RST) before any of the answer
	Hang            // no answer until the client goes or the server closes
	EmptyBody       // status and headers, and a body of no bytes
	Truncate        // the connection ends in the middle of the body
	HalfJSON        // the first half of the body, as if it were all
	Trickle         // blank lines every 5 ms while the Delay lasts, at least three, then the body, chunked
	LateEnd         // the body at once, chunked; its end 20 ms later
	Endless         // spaces without end until the client goes or the server closes
	BodyReset       // the connection is reset (RST) in the middle of the body

	failed Fault = -1 // a 500 or 503
)

const (
	trickleInterval = 5 * time.Millisecond
	trickleLines    = 3
	lateEnd         = 20 * time.Millisecond
)

// exchange is one request and the writing of its answer.
type exchange struct {
	http.ResponseWriter
	ctx    context.Context //nolint:containedctx // it lives as long as the handler's call
	record *record         // nil once the answer is counted, and for requests that are not counted
	leave  func()          // frees the request's place among those in flight; may be nil
}

// settle counts the answer; a second time does nothing. It comes before the last bytes of every answer: a client that has
// read them may send its next request before this one's handler returns, and must not be seen with two in flight.
func (e *exchange) settle(status int) {
	if e.record != nil {
		e.record.end(status)
		e.record = nil
		if e.leave != nil {
			e.leave()
		}
	}
}

// send delivers body after delay, with what fault does to it. Where there is no answer, or the client went before, it
// returns with the exchange unsettled.
func (e *exchange) send(status int, body []byte, delay time.Duration, fault Fault) {
	if fault == Trickle {
		e.trickle(status, body, delay)
		return
	}
	if !sleep(e.ctx, delay) {
		return
	}
	switch fault {
	case Reset:
		e.reset()
	case Hang:
		<-e.ctx.Done()
	case Endless:
		e.endless(status)
	case LateEnd:
		e.settle(status)
		e.WriteHeader(status)
		if e.writeNow(body) {
			sleep(e.ctx, lateEnd)
		}
	case EmptyBody:
		e.whole(status, nil)
	case HalfJSON:
		e.whole(status, body[:len(body)/2])
	case Truncate:
		e.half(status, body)
	case BodyReset:
		e.half(status, body)
		e.reset()
	default:
		e.whole(status, body)
	}
}

func (e *exchange) whole(status int, body []byte) {
	e.Header()["Content-Length"] = []string{strconv.Itoa(len(body))}
	e.settle(status)
	e.WriteHeader(status)
	_, _ = e.Write(body) // a client that has gone needs no answer
}

// half falls short of its Content-Length, on which net/http ends the connection.
func (e *exchange) half(status int, body []byte) {
	e.Header()["Content-Length"] = []string{strconv.Itoa(len(body))}
	e.settle(status)
	e.WriteHeader(status)
	e.writeNow(body[:len(body)/2])
}

// reset makes the operating system send RST when the connection is closed, in place of an orderly end.
func (e *exchange) reset() {
	if conn, ok := e.ctx.Value(connKey{}).(*net.TCPConn); ok {
		_ = conn.SetLinger(0) // fails only on a connection that has ended already
	}
}

func (e *exchange) trickle(status int, body []byte, delay time.Duration) {
	e.WriteHeader(status)
	for range max(trickleLines, int(delay/trickleInterval)) {
		if !e.writeNow([]byte("\n")) || !sleep(e.ctx, trickleInterval) {
			return
		}
	}
	e.settle(status)
	_, _ = e.Write(body)
}

func (e *exchange) endless(status int) {
	e.WriteHeader(status)
	spaces := bytes.Repeat([]byte(" "), 32<<10)
	for e.ctx.Err() == nil && e.writeNow(spaces) {
	}
}

// writeNow writes and flushes. It is false when the client has gone.
func (e *exchange) writeNow(data []byte) bool {
	if _, err := e.Write(data); err != nil {
		return false
	}
	return http.NewResponseController(e.ResponseWriter).Flush() == nil
}

// sleep waits for d, or until ctx ends, which it tells by false.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
