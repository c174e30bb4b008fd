package mcp

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"sync/atomic"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"go.uber.org/zap"
)

// transport is a connection to a server, and what is under it: a program that was started for it, or HTTP connections.
type transport interface {
	sdk.Transport
	// kill ends at once what is left. It is called in the end, also where that is nothing.
	kill()
}

func newTransport(s *Server) (transport, error) {
	log := s.Logger.With(zap.String("server", s.Name))
	switch {
	case s.InProcess != nil:
		return &inProcess{s.InProcess}, nil
	case s.URL != "":
		t, err := newHTTPTransport(s, log)
		if err != nil {
			return nil, err
		}
		noticeUnknownSessions(t.(*httpTransport).HTTPClient)
		return t.(*httpTransport), nil
	}
	return newStdioTransport(s, log)
}

// ended says how the program under a transport has ended, once the connection is over; nil where there was none.
func ended(t transport) error {
	if program, ok := t.(interface{ ended() error }); ok {
		return program.ended()
	}
	return nil
}

// unknownSession is the key of an [*atomic.Bool] in a call's context, which is set where the server didn't run the call
// because it has forgotten the session. The SDK's error doesn't tell that call from the others in flight, which may have
// been run.
type unknownSession struct{}

type sessionNotice struct{ http.RoundTripper }

func noticeUnknownSessions(client *http.Client) { client.Transport = sessionNotice{client.Transport} }

// RoundTrip implements [http.RoundTripper].
func (n sessionNotice) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := n.RoundTripper.RoundTrip(req)
	if err == nil && resp.StatusCode == http.StatusNotFound {
		if unknown, ok := req.Context().Value(unknownSession{}).(*atomic.Bool); ok {
			unknown.Store(true)
		}
	}
	return resp, err
}

// inProcess connects to a server in this process.
type inProcess struct{ server *sdk.Server }

func (t *inProcess) Connect(ctx context.Context) (sdk.Connection, error) {
	near, far := net.Pipe()
	// Both are in memory already: what is too large of a result is seen when it is here.
	if _, err := t.server.Connect(ctx, &sdk.IOTransport{Reader: far, Writer: far, MaxLineLength: -1}, nil); err != nil {
		return nil, err
	}
	return (&sdk.IOTransport{Reader: near, Writer: near, MaxLineLength: -1}).Connect(ctx)
}

func (t *inProcess) kill() {}

// recovering is a middleware that makes a panic of a tool that call's failure, and keeps it from ending this process.
func recovering(log *zap.Logger) sdk.Middleware {
	return func(next sdk.MethodHandler) sdk.MethodHandler {
		return func(ctx context.Context, method string, request sdk.Request) (result sdk.Result, err error) {
			defer func() {
				if p := recover(); p != nil {
					log.Error("an MCP server in this process panicked", zap.Any("panic", p), zap.ByteString("stack", debug.Stack()))
					result, err = nil, fmt.Errorf("the tool panicked: %v", p)
				}
			}()
			return next(ctx, method, request)
		}
	}
}
