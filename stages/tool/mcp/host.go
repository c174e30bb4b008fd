package mcp

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/gluepipe/gluepipe/stages/tool"
)

// host keeps one server going: it owns the server's sessions, one after the other, and hands the current one to calls.
type host struct {
	config  Server
	limit   func(context.Context) (func(), error) // of the calls in flight
	wanted  chan struct{}                         // a call needs a session
	changed chan struct{}                         // the server says that its tools have changed
	done    chan struct{}                         // closed when nothing is left of the server

	mu        sync.Mutex
	now       state
	catalog   []remote
	transport transport // of the last session
	killed    bool
}

// state is whether a server can be called.
type state struct {
	session *session      // nil while there is none
	err     error         // why there will be none any more
	over    chan struct{} // closed when this state is
}

func newHost(config Server) *host {
	return &host{
		config:  config,
		limit:   tool.Limit(config.MaxConcurrent),
		wanted:  make(chan struct{}, 1),
		changed: make(chan struct{}, 1),
		done:    make(chan struct{}),
		now:     state{over: make(chan struct{})},
	}
}

func (h *host) become(session *session, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	close(h.now.over)
	h.now = state{session: session, err: err, over: make(chan struct{})}
}

// run serves sessions until ctx ends or the server has ended too often in a row, the first being s.
func (h *host) run(ctx context.Context, s *session) {
	defer close(h.done)
	h.become(nil, h.keep(ctx, s))
}

func (h *host) keep(ctx context.Context, s *session) error {
	var ended error // why the last session did, or could not be
	for ends := 0; ; {
		if s != nil {
			h.become(s, nil)
			if ended = h.serve(ctx, s); s.answered.Load() {
				ends = 0
			}
			s = nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("the server %q is closed", h.config.Name)
		}
		if ends++; ends > max(h.config.MaxRestarts, 0) {
			err := h.givenUp(ends, ended)
			h.config.Logger.Error("an MCP server ends again and again", zap.Error(err))
			if h.config.URL == "" {
				return err
			}
			h.become(nil, err)
			if !h.rest(ctx) {
				continue
			}
			ends--
		}
		pause := time.NewTimer(pauseBefore(ends))
		drain(h.wanted)
		h.become(nil, nil)
		h.config.Logger.Warn("an MCP server has ended; it is started again when it is needed",
			zap.String("server", h.config.Name), zap.Error(ended))
		if waitFor(ctx, h.wanted) && waitFor(ctx, pause.C) {
			s, ended = h.open(ctx)
		}
	}
}

// serve looks after a session until it has ended and nothing is left of it, and returns why it did.
func (h *host) serve(ctx context.Context, s *session) error {
	for {
		select {
		case <-ctx.Done():
			s.end(errClosed)
		case <-s.gone:
		case <-s.life.Done():
		case <-h.changed:
			h.relist(ctx, s)
			continue
		}
		return s.close()
	}
}

// session returns the session to call, and waits until there is one.
func (h *host) session(ctx context.Context) (*session, error) {
	for {
		h.mu.Lock()
		now := h.now
		h.mu.Unlock()
		if now.session != nil || now.err != nil {
			return now.session, now.err
		}
		wake(h.wanted)
		if !waitFor(ctx, now.over) {
			return nil, context.Cause(ctx)
		}
	}
}

// rest waits until a server that somebody else runs, and may have mended, is tried again. Until then calls fail at once.
func (h *host) rest(ctx context.Context) bool {
	timer := time.NewTimer(h.config.rest)
	defer timer.Stop()
	return waitFor(ctx, timer.C)
}

// givenUp says that the server is not started again, or not for a while.
func (h *host) givenUp(ends int, last error) error {
	often := ""
	if ends > 1 {
		often = fmt.Sprintf(" %d times in a row", ends)
	}
	then := "it is not started again"
	if h.config.URL != "" {
		then = fmt.Sprintf("it is tried again %v later", h.config.rest)
	}
	return fmt.Errorf("the server %q has ended%s (%w); %s", h.config.Name, often, last, then)
}

// pauseBefore is how long after the n-th end in a row the server is started again, at the earliest.
func pauseBefore(n int) time.Duration {
	const first, longest = 250 * time.Millisecond, 2 * time.Second
	if n <= 1 {
		return 0
	}
	return min(first<<min(n-2, 3), longest)
}

// kill ends the server's program at once, also one that is just being started.
func (h *host) kill() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.killed = true
	if h.transport != nil {
		h.transport.kill()
	}
}

// watch makes t the one that kill reaches.
func (h *host) watch(t transport) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.transport = t
	if h.killed {
		t.kill()
	}
}

func wake(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func drain(c <-chan struct{}) {
	select {
	case <-c:
	default:
	}
}

// waitFor reports whether c was ready before ctx ended.
func waitFor[T any](ctx context.Context, c <-chan T) bool {
	select {
	case <-c:
		return true
	case <-ctx.Done():
		return false
	}
}
