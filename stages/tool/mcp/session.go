package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// session is one life of a server: from its start until it has ended, for whatever reason. All calls share it.
type session struct {
	client    *sdk.ClientSession
	transport transport
	answered  atomic.Bool // a call was answered

	life context.Context         //nolint:containedctx // a session is the scope of its calls
	end  context.CancelCauseFunc // ends the calls; the host then closes the session
	gone chan struct{}           // closed when the connection is over
	done chan struct{}           // closed when nothing is left of the session
	why  error                   // it ended; valid when done is closed
}

var errClosed = errors.New("it was closed")

// protocol is the version of MCP that is spoken: the latest that begins by "initialize". A server of an earlier one says so
// and is understood. Newer ones begin otherwise, which servers end on that don't know it.
const protocol = "2025-11-25"

// connect opens a session. The server signals changed when its tools have.
func connect(ctx context.Context, t transport, changed chan<- struct{}) (*session, error) {
	client := sdk.NewClient(&sdk.Implementation{Name: "gluepipe", Version: "1"}, &sdk.ClientOptions{
		Capabilities:           &sdk.ClientCapabilities{}, // no roots, no sampling, no questions to a user
		ToolListChangedHandler: func(context.Context, *sdk.ToolListChangedRequest) { wake(changed) },
	})
	opened, err := client.Connect(ctx, t, &sdk.ClientSessionOptions{ProtocolVersion: protocol})
	if err != nil {
		t.kill()
		return nil, err
	}
	s := &session{client: opened, transport: t, gone: make(chan struct{}), done: make(chan struct{})}
	s.life, s.end = context.WithCancelCause(context.WithoutCancel(ctx))
	go func() {
		defer close(s.gone)
		if err := opened.Wait(); err != nil {
			s.end(err)
		}
	}()
	return s, nil
}

// implementation is what the server calls itself.
func (s *session) implementation() string {
	if info := s.client.InitializeResult().ServerInfo; info != nil {
		return info.Name
	}
	return ""
}

// during returns a context that ends with the session, too.
func (s *session) during(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.life, cancel)
	return ctx, func() { stop(); cancel() }
}

// errUnsent is the failure of a call that the server surely hasn't run, because the session was over before.
var errUnsent = errors.New("the session is over")

// call calls a tool. It returns early when the session ends.
func (s *session) call(ctx context.Context, name string, arguments json.RawMessage) (*sdk.CallToolResult, error) {
	if s.life.Err() != nil {
		return nil, errUnsent
	}
	ctx, release := s.during(ctx)
	defer release()
	ctx, sending := withDelivery(ctx)
	result, err := s.client.CallTool(ctx, &sdk.CallToolParams{Name: name, Arguments: arguments})
	isOver := errors.Is(err, sdk.ErrConnectionClosed)
	switch {
	case sending.refused.Load(), !sending.begun.Load() && (isOver || errors.Is(err, sdk.ErrSessionMissing) || s.life.Err() != nil):
		return nil, errUnsent
	case isOver: // it is an answer with a code that the SDK has for itself
		_, message, _ := strings.Cut(err.Error(), `calling "tools/call": `)
		return nil, &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: message}
	}
	return result, err
}

// over asks whether the connection is over, which is known at once where it is. A server that is slow to say so is not: one
// call's trouble must not end the others.
func (s *session) over(ctx context.Context) bool {
	const patience = 5 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ctx, release := s.during(ctx)
	defer release()
	err := s.client.Ping(ctx, nil)
	return errors.Is(err, sdk.ErrConnectionClosed) || s.life.Err() != nil
}

// closePatience is how long a session may take to close. A program is killed before by itself; what takes longer waits for a
// server that asks for answers and doesn't read them.
const closePatience = 6 * time.Second

// close ends the session and returns why it ended. Only its host calls it, once.
func (s *session) close() error {
	s.end(nil)
	hurry := time.AfterFunc(closePatience, s.transport.kill)
	defer hurry.Stop()
	_ = s.client.Close()
	<-s.gone
	s.transport.kill()
	s.why = s.reason()
	close(s.done)
	return s.why
}

func (s *session) reason() error {
	cause := context.Cause(s.life)
	if errors.Is(cause, errClosed) {
		return errClosed
	}
	how := ended(s.transport)
	switch {
	case how != nil:
		return how
	case errors.Is(cause, sdk.ErrSessionMissing):
		return errors.New("it no longer knows the session")
	case errors.Is(cause, context.Canceled), errors.Is(cause, errUnsent):
		return errors.New("it closed the connection")
	}
	return fmt.Errorf("the connection is lost: %w", plain(cause))
}
