package llm

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// maxErrorBytes is room for what a server has to say of a failure.
const maxErrorBytes = 1 << 20

func succeeded(resp *http.Response) bool { return resp.StatusCode >= 200 && resp.StatusCode <= 299 }

// readAnswer reads a body that should be an answer.
func (c *Client) readAnswer(ctx context.Context, call *Call, resp *http.Response, buf *[]byte) (*Answer, error) {
	if resp.ContentLength > c.maxBytes {
		return nil, c.tooLarge(resp)
	}
	// One byte more tells a body that is too large from one that just fits. A body read to its end, a late last chunk
	// included, leaves the connection fit for the next call.
	if err := fill(buf, resp.Body, c.maxBytes+1); err != nil {
		e := c.networkError(ctx, "reading the answer from "+c.endpoint(call).where, err)
		e.RequestID, e.Header = requestID(resp.Header), readHeader(resp.Header, time.Now())
		return nil, e
	}
	if int64(len(*buf)) > c.maxBytes {
		return nil, c.tooLarge(resp)
	}
	return c.answer(call, resp, clean(*buf))
}

// readFailure reads a body that should be an error. The status says enough already: a body that is too long, breaks off or
// doesn't come in time changes nothing. Only the end of the run does.
func (c *Client) readFailure(ctx context.Context, call *Call, resp *http.Response, buf *[]byte) *Error {
	limit := min(c.maxBytes, maxErrorBytes)
	if err := fill(buf, resp.Body, limit); err != nil && ctx.Err() != nil {
		if ended := contextError(ctx); ended.Kind != batch.ErrAPITimeout {
			return ended
		}
	}
	return c.statusError(call, resp, clean(*buf))
}

// fill reads r to its end, or as far as limit. It makes room for what came, never for what was announced, and never beyond
// the limit, where a bytes.Buffer would double once more.
func fill(buf *[]byte, r io.Reader, limit int64) error {
	b := *buf
	defer func() { *buf = b }()
	for int64(len(b)) < limit {
		if len(b) == cap(b) {
			room := min(max(int64(2*cap(b)), 4<<10), limit)
			b = append(make([]byte, 0, room), b...)
		}
		n, err := r.Read(b[len(b):min(int64(cap(b)), limit)])
		b = b[:len(b)+n]
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

var byteOrderMark = []byte("\uFEFF")

// clean makes of body what JSON may hold, so that an answer is not lost over a mark or a broken letter, and nothing that is
// not UTF-8 goes any further.
func clean(body []byte) []byte {
	body = bytes.TrimPrefix(body, byteOrderMark)
	if utf8.Valid(body) {
		return body
	}
	return bytes.ToValidUTF8(body, []byte("\uFFFD"))
}

func (c *Client) tooLarge(resp *http.Response) *Error {
	e := answerError(batch.ErrServer, false,
		"the answer is larger than %d bytes: ask for less, or raise MaxResponseBytes", c.maxBytes)
	e.Status, e.RequestID, e.Header = resp.StatusCode, requestID(resp.Header), readHeader(resp.Header, time.Now())
	return e
}

// maxPooledBytes keeps one gigantic answer from staying in memory for good.
const maxPooledBytes = 1 << 20

func (c *Client) release(buf *[]byte) {
	if cap(*buf) <= maxPooledBytes {
		*buf = (*buf)[:0]
		c.buffers.Put(buf)
	}
}
