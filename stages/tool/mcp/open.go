package mcp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"go.uber.org/zap"
)

// open starts the server, or connects to it, and lists its tools.
func (h *host) open(ctx context.Context) (*session, error) {
	starting := ctx
	tooSlow := fmt.Errorf("it was not ready within %v", h.config.StartTimeout)
	ctx, cancel := context.WithTimeoutCause(ctx, h.config.StartTimeout, tooSlow)
	defer cancel()
	t, err := newTransport(&h.config)
	if err != nil {
		return nil, err
	}
	h.watch(t)
	defer context.AfterFunc(starting, t.kill)() // there is nothing yet to be ended in good order
	s, err := connect(ctx, t, h.changed)
	if err != nil {
		return nil, startError(ctx, t, err)
	}
	tools, err := s.list(ctx)
	if err != nil {
		_ = s.close()
		return nil, startError(ctx, t, fmt.Errorf("listing its tools: %w", err))
	}
	h.learn(tools)
	return s, nil
}

// startError says why a server did not start: what the program says of its end, where it has ended by itself.
func startError(ctx context.Context, t transport, err error) error {
	how := ended(t)
	switch {
	case ctx.Err() != nil && how != nil:
		return fmt.Errorf("%w (%w)", context.Cause(ctx), how)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case how != nil && isEnd(err):
		return how
	}
	return plain(err)
}

// isEnd tells the end of a connection from other errors.
func isEnd(err error) bool {
	for _, end := range []error{io.EOF, sdk.ErrConnectionClosed, syscall.EPIPE, os.ErrClosed} {
		if errors.Is(err, end) {
			return true
		}
	}
	return false
}

// relist takes over the tools of a server that says they have changed. The host goes on with those it knows where that fails.
func (h *host) relist(ctx context.Context, s *session) {
	const settle = 100 * time.Millisecond // many changes in a row are listed once
	ctx, cancel := context.WithTimeout(ctx, h.config.StartTimeout)
	defer cancel()
	ctx, release := s.during(ctx)
	defer release()
	if !waitFor(ctx, time.After(settle)) {
		return
	}
	drain(h.changed)
	tools, err := s.list(ctx)
	if err == nil {
		h.learn(tools)
	} else if ctx.Err() == nil || errors.Is(ctx.Err(), context.DeadlineExceeded) {
		h.config.Logger.Warn("an MCP server says that its tools have changed, but doesn't list them",
			zap.String("server", h.config.Name), zap.Error(plain(err)))
	}
}
