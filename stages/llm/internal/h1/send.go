package h1

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// maxAtOnce is how large a body may be to be sent in one piece, before the answer is read. A server's system takes that
// much, even if the server never reads it. Beyond, the server's answer may come amid the sending, and end it.
const maxAtOnce = 32 << 10

// maxSettle is how long a connection with an answer in full waits to be used again for the last of its request to leave.
const maxSettle = 50 * time.Millisecond

var (
	errUnsent = errors.New("the idle connection took nothing of the request")
	errBody   = errors.New("reading the request's body")
)

// sending is the way of a request to the server. The zero value is one that was sent whole.
type sending struct {
	done   chan struct{} // closed at the end; nil: it ended at once
	unsent bool          // the connection took nothing
	err    error
}

// send sends a request: a large one on a goroutine, which ends at the latest when the connection is closed.
func (c *conn) send(req *http.Request) *sending {
	c.sending = sending{}
	s := &c.sending
	if req.ContentLength <= maxAtOnce {
		s.unsent, s.err = c.write(req)
		return s
	}
	s.done = make(chan struct{})
	go func() {
		defer close(s.done)
		if s.unsent, s.err = c.write(req); errors.Is(s.err, errBody) {
			c.interrupt() // there will be no answer
		}
	}()
	return s
}

var buffers = sync.Pool{New: func() any { return new([]byte) }}

// write writes head and body, in pieces: one for most requests.
func (c *conn) write(req *http.Request) (unsent bool, err error) {
	defer req.Body.Close()
	pooled := buffers.Get().(*[]byte)
	defer buffers.Put(pooled)
	b := appendHead((*pooled)[:0], req)
	for left := req.ContentLength; ; {
		piece := min(left, maxAtOnce)
		left -= piece
		b, err = appendBody(b, req, int(piece), left == 0)
		*pooled = b[:0]
		if err != nil {
			return false, err
		}
		n, err := c.wire.Write(b)
		if err != nil || left == 0 {
			return err != nil && n == 0 && left+piece == req.ContentLength, err
		}
		b = b[:0]
	}
}

// appendBody appends the next n bytes of a body, and checks that the last ones are.
func appendBody(b []byte, req *http.Request, n int, last bool) ([]byte, error) {
	start := len(b)
	b = append(b, make([]byte, n+1)...)
	if _, err := io.ReadFull(req.Body, b[start:start+n]); err != nil {
		return b, fmt.Errorf("%w: ContentLength is %d, but it ends before: %w", errBody, req.ContentLength, err)
	}
	if last {
		if extra, _ := req.Body.Read(b[start+n:]); extra > 0 {
			return b, fmt.Errorf("%w: ContentLength is %d, but it is longer", errBody, req.ContentLength)
		}
	}
	return b[:start+n], nil
}

// failed says that no answer can come.
func (s *sending) failed() bool { return s.done == nil && (s.unsent || errors.Is(s.err, errBody)) }

func (s *sending) error(reused bool) error {
	if s.unsent && reused {
		return fmt.Errorf("%w: %w", errUnsent, s.err)
	}
	return s.err
}

func (s *sending) ended() bool {
	if s.done == nil {
		return true
	}
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// settled waits a moment for the end, and says whether the request was sent whole.
func (s *sending) settled() bool {
	if !s.ended() {
		timer := time.NewTimer(maxSettle)
		defer timer.Stop()
		select {
		case <-s.done:
		case <-timer.C:
			return false
		}
	}
	return s.err == nil
}

func (s *sending) wait() {
	if s.done != nil {
		<-s.done
	}
}
