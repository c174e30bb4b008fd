package mcp

import (
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"go.uber.org/zap"
)

const (
	sessionHeader   = "Mcp-Session-Id"
	lastEventHeader = "Last-Event-ID"
)

// A carrier sends a session's requests to where the server is. The SDK takes what it doesn't expect of an answer for the
// end of the session, and with it of all calls in flight; so whatever is wrong with a call's answer, the carrier puts a
// JSON-RPC error in its place: the call fails by itself.
type carrier struct {
	sender
	max     int64           // bytes of one message
	ended   context.Context //nolint:containedctx // what is sent through a carrier ends with it
	log     *zap.Logger
	streams atomic.Int64 // opened for the server's own messages
	asked   asked
}

// RoundTrip implements [http.RoundTripper].
func (c *carrier) RoundTrip(req *http.Request) (*http.Response, error) {
	message := messageIn(req)
	defer c.asked.sent(message)
	call := callOf(message)
	ctx, cancel := context.WithCancel(req.Context())
	stop := context.AfterFunc(c.ended, cancel) //nolint:contextcheck // the session's end ends the request, too
	release := func() { stop(); cancel() }

	sent := req.Clone(ctx)
	if strings.HasPrefix(sent.Header.Get(lastEventHeader), streamMark) {
		sent.Header.Del(lastEventHeader)
	}
	if call.IsValid() {
		deliveryIn(ctx).begun.Store(true)
	}
	resp, err := c.send(sent)
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

// accept makes of an answer what the SDK can read. release is called once its body is closed, unless there is an error.
func (c *carrier) accept(
	req *http.Request, resp *http.Response, call jsonrpc.ID, release func(),
) (*http.Response, error) {
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		resp, err := refusal(req, resp, call)
		if err == nil {
			release()
		}
		return resp, err
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch {
	case kind == "text/event-stream":
		events := newEvents(resp.Body, call, c.max, &c.asked, c.log)
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

// messageIn returns the message that a request carries; nil where there is none.
func messageIn(req *http.Request) jsonrpc.Message {
	if req.Method != http.MethodPost || req.GetBody == nil {
		return nil
	}
	body, err := req.GetBody()
	if err != nil {
		return nil
	}
	data, err := io.ReadAll(body)
	if err != nil {
		return nil
	}
	message, err := jsonrpc.DecodeMessage(data)
	if err != nil {
		return nil
	}
	return message
}

// callOf returns the id of the call that a message is. It is not valid where the message is none.
func callOf(message jsonrpc.Message) (none jsonrpc.ID) {
	if call, ok := message.(*jsonrpc.Request); ok {
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
