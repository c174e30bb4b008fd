package llm

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
)

// request makes the request, with all that is needed to send it again on another connection. That happens where nobody can
// have worked on it: over HTTP/1 where a connection that had been idle turned out to be closed before a byte was written (an
// Idempotency-Key would change that for net/http, so there is none); over HTTP/2 also where the server says that it hasn't
// begun (GOAWAY, REFUSED_STREAM). One case is less certain, and happens within the one attempt that is counted: a stream
// that the server resets with PROTOCOL_ERROR, which is how some servers close a connection.
func (c *Client) request(ctx context.Context, to *url.URL, text []byte) *http.Request {
	b := newRequestBody(text)
	req := http.Request{
		Method: http.MethodPost, URL: to, Host: to.Host, Header: c.header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: b, GetBody: b.again, ContentLength: int64(len(text)),
	}
	if _, ours := c.http.(*HTTPClient); !ours {
		req.Header = c.header.Clone() // others may add to it
	}
	return req.WithContext(ctx)
}

// requestBody is a body that can be read again.
type requestBody struct {
	bytes.Reader
	text []byte
}

func newRequestBody(text []byte) *requestBody {
	b := &requestBody{text: text}
	b.Reset(text)
	return b
}

func (b *requestBody) again() (io.ReadCloser, error) { return newRequestBody(b.text), nil }

func (*requestBody) Close() error { return nil }
