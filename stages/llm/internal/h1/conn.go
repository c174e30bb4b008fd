package h1

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"time"
)

// conn is a connection. One call has it at a time.
type conn struct {
	wire      net.Conn
	transport *Transport
	address   string
	r         *bufio.Reader
	headLeft  int64 // how much an answer's head may take still; negative: no bound
	sending   sending
	reused    bool
	idleSince time.Time
	interrupt func() // ends what blocks

	raw  syscall.RawConn // nil where there is none: such a connection is used once
	peek func(fd uintptr) bool
	open bool // what peek found
}

var longAgo = time.Unix(1, 0)

func newConn(t *Transport, address string, n net.Conn) *conn {
	c := &conn{wire: n, transport: t, address: address}
	if s, ok := n.(syscall.Conn); ok {
		c.raw, _ = s.SyscallConn()
	}
	c.r = bufio.NewReader(limited{c})
	c.interrupt = func() { _ = c.wire.SetDeadline(longAgo) }
	c.peek = c.peekFD
	return c
}

func (c *conn) close() { _ = c.wire.Close() }

// alive says that the server has neither closed an idle connection nor sent what nobody asked for.
func (c *conn) alive() bool {
	c.open = false
	return c.raw.Read(c.peek) == nil && c.open
}

// limited bounds what is read of an answer's head.
type limited struct{ *conn }

func (l limited) Read(p []byte) (int, error) {
	c := l.conn
	if c.headLeft < 0 {
		return c.wire.Read(p)
	}
	if c.headLeft == 0 {
		return 0, errHeaders(c.transport.MaxHeaderBytes)
	}
	n, err := c.wire.Read(p[:min(int64(len(p)), c.headLeft)])
	c.headLeft -= int64(n)
	return n, err
}

func errHeaders(most int64) error { return fmt.Errorf("the server's headers exceeded %d bytes", most) }

// roundTrip makes one call. The connection is closed where it fails.
func (c *conn) roundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	ended := context.AfterFunc(ctx, c.interrupt)
	resp, err := c.exchange(req)
	if err == nil {
		c.deliver(ctx, resp, ended)
		return resp, nil
	}
	ended()
	c.close()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return nil, err
}

// exchange sends a request, and reads as much of the answer as its head. Where a server answers without having read all,
// the answer counts.
func (c *conn) exchange(req *http.Request) (*http.Response, error) {
	if s := c.send(req); s.failed() {
		return nil, s.error(c.reused)
	}
	c.headLeft = c.transport.MaxHeaderBytes
	resp, err := readHead(c.r, req)
	if err == nil {
		c.headLeft = -1
		return resp, nil
	}
	if c.headLeft == 0 { // half a line is what a parser complains of
		err = errHeaders(c.transport.MaxHeaderBytes)
	}
	s := &c.sending
	first := s.ended() // before closing makes it fail
	c.close()
	s.wait()
	if s.err != nil && (first || s.unsent) {
		err = s.error(c.reused)
	}
	return nil, err
}
