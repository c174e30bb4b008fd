package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"strconv"
	"time"
)

// maxHead bounds each line of a head, and is all that a quiet connection holds.
const maxHead = 4 << 10

// exchange is one connection: requests and their answers in turn.
type exchange struct {
	conn    net.Conn
	server  *fixedServer
	answers *answers
	in      *bufio.Reader
	timer   *time.Timer
	body    []byte // of the last request, where it is looked at
}

// head is what of a request's head matters here.
type head struct {
	length int // of the body
	last   bool
}

// refusal is an answer to what this server doesn't speak; the connection ends with it.
type refusal struct {
	status int
	reason string
}

func (r *refusal) Error() string { return r.reason }

func newExchange(conn net.Conn, server *fixedServer, answers *answers) *exchange {
	return &exchange{
		conn: conn, server: server, answers: answers, in: bufio.NewReaderSize(conn, maxHead), timer: time.NewTimer(0),
	}
}

// run answers until the connection ends, and returns how many requests it answered.
func (e *exchange) run() (answered int64) {
	for {
		last, err := e.answer()
		if refused, ok := errors.AsType[*refusal](err); ok {
			_, _ = e.conn.Write(errorAnswer(refused.status, refused.reason, "Connection: close\r\n"))
			_, _ = io.CopyN(io.Discard, e.in, 1<<20) // closing on unread bytes would reset the connection before the answer is read
		}
		if err != nil {
			return answered
		}
		answered++
		if last {
			return answered
		}
	}
}

func (e *exchange) answer() (last bool, err error) {
	if _, err := e.in.Peek(1); err != nil {
		return false, err
	}
	var arrived time.Time
	latency := e.server.script.latency
	if latency > 0 {
		arrived = time.Now()
	}
	h, err := e.readHead()
	if err != nil {
		return false, err
	}
	reply, err := e.readBody(h.length)
	if err != nil {
		return false, err
	}
	if e.server.fails() {
		reply = e.answers.failure
	}
	if latency > 0 {
		if err := e.waitUntil(arrived.Add(latency)); err != nil {
			return false, err
		}
	}
	_, err = e.conn.Write(reply)
	return h.last, err
}

// waitUntil returns at that time, or with an error when the server closes.
func (e *exchange) waitUntil(at time.Time) error {
	e.timer.Reset(time.Until(at))
	select {
	case <-e.timer.C:
		return nil
	case <-e.server.closing:
		return net.ErrClosed
	}
}

// readBody reads what follows the head, and chooses the answer.
func (e *exchange) readBody(length int) ([]byte, error) {
	if !e.server.script.tools {
		_, err := e.in.Discard(length)
		return e.answers.text, err
	}
	if cap(e.body) < length {
		e.body = make([]byte, length)
	}
	e.body = e.body[:length]
	if _, err := io.ReadFull(e.in, e.body); err != nil {
		return nil, err
	}
	if bytes.Contains(e.body, []byte(`"tools":`)) && !bytes.Contains(e.body, []byte(`"role":"tool"`)) {
		return e.answers.toolCall, nil
	}
	return e.answers.text, nil
}

func (e *exchange) readHead() (head, error) {
	var h head
	for first := true; ; first = false {
		line, err := e.in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			return h, &refusal{431, "a line of the head is longer than 4 KiB"}
		}
		if err != nil {
			return h, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if first {
			if !bytes.HasSuffix(line, []byte(" HTTP/1.1")) {
				return h, &refusal{505, "want HTTP/1.1"}
			}
			continue
		}
		if len(line) == 0 {
			return h, nil
		}
		if err := h.field(line); err != nil {
			return h, err
		}
	}
}

// field takes in one line of the head.
func (h *head) field(line []byte) error {
	name, value, found := bytes.Cut(line, []byte(":"))
	if !found {
		return &refusal{400, "a line of the head has no colon"}
	}
	value = bytes.TrimSpace(value)
	switch {
	case is(name, "content-length"):
		length, err := strconv.ParseUint(string(value), 10, 31)
		if err != nil {
			return &refusal{400, "Content-Length is no number"}
		}
		h.length = int(length)
	case is(name, "transfer-encoding"):
		return &refusal{411, "chunked bodies are not read here: send a Content-Length"}
	case is(name, "expect"):
		return &refusal{417, "Expect is not served here"}
	case is(name, "connection"):
		h.last = is(value, "close")
	}
	return nil
}

// is compares without regard to case; most names differ in length already.
func is(text []byte, word string) bool {
	return len(text) == len(word) && bytes.EqualFold(text, []byte(word))
}
