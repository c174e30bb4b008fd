package mcp

import (
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"go.uber.org/zap"
)

const (
	sessionHeader   = "Mcp-Session-Id"
	lastEventHeader = "Last-Event-ID"
	maxRedirects    = 3
)

// A carrier sends a session's requests to where the server is. The SDK takes what it doesn't expect of an answer for the
// end of the session, and with it of all calls in flight; so whatever is wrong with a call's answer, the carrier puts a
// JSON-RPC error in its place: the call fails by itself.
type carrier struct {
	target  *url.URL // with the query; the requests that come in have the origin alone
	header  http.Header
	max     int64 // bytes of one message
	conns   http.RoundTripper
	ended   context.Context //nolint:containedctx // what is sent through a carrier ends with it
	log     *zap.Logger
	streams atomic.Int64 // opened for the server's own messages
}

// RoundTrip implements [http.RoundTripper].
func (c *carrier) RoundTrip(req *http.Request) (*http.Response, error) {
	call := callIn(req)
	ctx, cancel := context.WithCancel(req.Context())
	stop := context.AfterFunc(c.ended, cancel) //nolint:contextcheck // the session's end ends the request, too
	release := func() { stop(); cancel() }

	resp, err := c.send(req.Clone(ctx))
	if err == nil {
		resp, err = c.accept(req, resp, call, release)
	}
	if err == nil {
		return resp, nil
	}
	release()
	if req.Context().Err() != nil || !call.IsValid() {
		return nil, err
	}
	return failedAnswer(req, call, err), nil
}

// send sends a request to the target, and after it where the target's host says. Nothing goes to another host: headers
// and arguments are meant for this one.
func (c *carrier) send(req *http.Request) (*http.Response, error) {
	for name, values := range c.header {
		if req.Header[name] == nil { // else it is the protocol's
			req.Header[name] = values
		}
	}
	if strings.HasPrefix(req.Header.Get(lastEventHeader), streamMark) {
		req.Header.Del(lastEventHeader)
	}
	req.Host = c.header.Get("Host")
	var asked atomic.Bool // there was a connection to ask on
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { asked.Store(true) },
	}))
	target := c.target
	for range maxRedirects + 1 {
		req.URL = target
		if req.GetBody != nil {
			var err error
			if req.Body, err = req.GetBody(); err != nil {
				return nil, err
			}
		}
		resp, err := c.conns.RoundTrip(req)
		if err != nil {
			if asked.Load() {
				err = fmt.Errorf("%w; %s", err, unknownEffect)
			}
			return nil, fmt.Errorf("%s: %w", origin(target), err)
		}
		switch resp.StatusCode {
		case http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		default:
			return resp, nil
		}
		resp.Body.Close()
		next, err := resp.Location()
		switch {
		case err != nil:
			return nil, fmt.Errorf("HTTP %s without an address to go to", resp.Status)
		case next.Scheme != target.Scheme || next.Host != target.Host:
			return nil, fmt.Errorf("it redirects to %s, where nothing is sent: if that is right, give the URL there", origin(next))
		}
		target = next
	}
	return nil, fmt.Errorf("%s redirects more than %d times", origin(target), maxRedirects)
}

// accept makes of an answer what the SDK can read. release is called once its body is closed, unless there is an error.
func (c *carrier) accept(
	req *http.Request, resp *http.Response, call jsonrpc.ID, release func(),
) (*http.Response, error) {
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		resp, err := refusal(req, resp)
		if err == nil {
			release()
		}
		return resp, err
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch {
	case kind == "text/event-stream":
		events := newEvents(resp.Body, call, c.max, c.log)
		events.stop = release
		if req.Method == http.MethodGet && !resumes(req) {
			events.mark(c.streams.Add(1))
		}
		resp.Body = closing(events, resp.Body, release)
	case !call.IsValid():
		resp.Body = closing(io.LimitReader(resp.Body, c.max), resp.Body, release)
	case kind == "application/json":
		answer := &jsonAnswer{body: resp.Body, size: resp.ContentLength, call: call, max: c.max}
		resp.Body, resp.ContentLength = closing(answer, resp.Body, release), -1
	default:
		resp.Body.Close()
		return nil, fmt.Errorf("HTTP %s with content of type %q: is there an MCP server at this path of %s?",
			resp.Status, kind, origin(c.target))
	}
	return resp, nil
}

// resumes tells whether a request goes on with the stream of an earlier call.
func resumes(req *http.Request) bool {
	last := req.Header.Get(lastEventHeader)
	return last != "" && !strings.HasPrefix(last, streamMark)
}

// callIn returns the id of the call that a request carries. It is not valid where there is none: for a notification, or
// for a request without a body.
func callIn(req *http.Request) (none jsonrpc.ID) {
	if req.Method != http.MethodPost || req.GetBody == nil {
		return none
	}
	body, err := req.GetBody()
	if err != nil {
		return none
	}
	data, err := io.ReadAll(body)
	if err != nil {
		return none
	}
	message, err := jsonrpc.DecodeMessage(data)
	if call, ok := message.(*jsonrpc.Request); err == nil && ok {
		return call.ID
	}
	return none
}

// closer is a body that is read from one thing and closed in several.
type closer struct {
	io.Reader
	close func() error
}

func (c *closer) Close() error { return c.close() }

func closing(r io.Reader, body io.Closer, release func()) io.ReadCloser {
	return &closer{Reader: r, close: func() error {
		release()
		return body.Close()
	}}
}
