package mcp

import (
	"context"
	"fmt"
	"net"
	"runtime/debug"
	"sync/atomic"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
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
		return newHTTPTransport(s, log)
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

// delivery is in a call's context, and tells how far the call got. The SDK's errors don't: some are a server's answer as well
// as the end of the connection, and a forgotten session ends calls that have been run beside one that hasn't.
type delivery struct {
	begun   atomic.Bool // to be sent: the server may have the call
	refused atomic.Bool // the server has it and doesn't run it: it has forgotten the session
}

type deliveryKey struct{}

func withDelivery(ctx context.Context) (context.Context, *delivery) {
	d := &delivery{}
	return context.WithValue(ctx, deliveryKey{}, d), d
}

// deliveryIn returns the delivery of the call that ctx belongs to, or one that nobody asks about.
func deliveryIn(ctx context.Context) *delivery {
	if d, ok := ctx.Value(deliveryKey{}).(*delivery); ok {
		return d
	}
	return &delivery{}
}

// inProcess connects to a server in this process.
type inProcess struct{ server *sdk.Server }

func (t *inProcess) Connect(ctx context.Context) (sdk.Connection, error) {
	near, far := net.Pipe()
	// Both are in memory already: what is too large of a result is seen when it is here.
	if _, err := t.server.Connect(ctx, &sdk.IOTransport{Reader: far, Writer: far, MaxLineLength: -1}, nil); err != nil {
		return nil, err
	}
	conn, err := (&sdk.IOTransport{Reader: near, Writer: near, MaxLineLength: -1}).Connect(ctx)
	return inProcessConn{conn}, err
}

type inProcessConn struct{ sdk.Connection }

func (c inProcessConn) Write(ctx context.Context, message jsonrpc.Message) error {
	deliveryIn(ctx).begun.Store(true)
	return c.Connection.Write(ctx, message)
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
