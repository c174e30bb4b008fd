package h1

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
)

// body is the body of an answer. Once it is read to its end, the connection is free for the next call; if it is closed
// before, so is the connection.
type body struct {
	conn  *conn
	ctx   context.Context //nolint:containedctx // the call's: a body is a part of it
	from  io.Reader       // nil: the connection, as far as left
	left  int64
	ended func() bool // stops the context from interrupting; false where it has
	keep  bool        // the connection may be used again
	err   error       // of the last Read
	done  atomic.Bool // the connection is another's, or closed
}

var errBodyClosed = errors.New("http: read on closed response body")

// deliver gives the answer its body.
func (c *conn) deliver(ctx context.Context, resp *http.Response, ended func() bool) {
	b := &body{conn: c, ctx: ctx, ended: ended, keep: !resp.Close, left: resp.ContentLength}
	if resp.Body != nil {
		b.from = resp.Body
	}
	switch {
	case resp.StatusCode == http.StatusSwitchingProtocols: // which nobody asked for
		b.end(false)
		resp.Body = http.NoBody
	case resp.Body == http.NoBody, resp.Body == nil && b.left == 0:
		b.end(true)
		resp.Body = http.NoBody
	case strings.EqualFold(resp.Header.Get("Content-Encoding"), "gzip"):
		resp.Body = &unzipped{from: b}
		resp.Header.Del("Content-Encoding")
		resp.Header.Del("Content-Length")
		resp.ContentLength, resp.Uncompressed = -1, true
	default:
		resp.Body = b
	}
}

// Read reads from the connection. It blocks until something is there, or the call's context ends.
func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if b.done.Load() {
		return 0, errBodyClosed
	}
	n, err := b.next(p)
	if err == nil {
		return n, nil
	}
	switch {
	case err == io.EOF:
	case b.ctx.Err() != nil:
		err = context.Cause(b.ctx)
	case b.done.Load():
		err = errBodyClosed
	}
	b.err = err
	b.end(err == io.EOF)
	return n, err
}

func (b *body) next(p []byte) (int, error) {
	if b.from != nil {
		return b.from.Read(p)
	}
	n, err := b.conn.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if err == io.EOF {
		return n, io.ErrUnexpectedEOF
	}
	if err == nil && b.left == 0 {
		err = io.EOF
	}
	return n, err
}

// Close ends the reading, and closes the connection unless all was read.
func (b *body) Close() error {
	b.end(false)
	return nil
}

// end gives the connection back, if the answer came whole, or closes it.
func (b *body) end(whole bool) {
	if b.done.Swap(true) {
		return
	}
	c := b.conn
	s := &c.sending
	if undisturbed := b.ended(); whole && undisturbed && b.keep && c.raw != nil && c.r.Buffered() == 0 && s.settled() {
		c.transport.pool.put(c)
		return
	}
	c.close()
	s.wait()
}
