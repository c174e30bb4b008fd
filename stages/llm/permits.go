package llm

import (
	"context"
	"time"
)

// Permits bounds how many model calls are in flight, over all the completers that share it: first tries, tool turns and
// retries alike. It is safe for concurrent use.
type Permits struct {
	slots chan struct{}
}

// NewPermits returns n permits. It panics where n is less than 1.
func NewPermits(n int) *Permits {
	if n < 1 {
		panic("gluepipe: NewPermits needs at least one permit")
	}
	return &Permits{slots: make(chan struct{}, n)}
}

// InFlight returns how many permits are taken now.
func (p *Permits) InFlight() int { return len(p.slots) }

// Limit returns a Completer that holds a permit during each call of next. A call waits for its permit in the order of
// arrival; the wait counts into [Call.Waited] and ends with [batch.ErrCancelled] when its context does. A draining run
// doesn't end it: a permit comes free as soon as a call in flight finishes.
//
// No call should wait for anything but its answer while it holds a permit, so a rate limit belongs outside.
func (p *Permits) Limit(next Completer) Completer { return &permitted{p.slots, next} }

type permitted struct {
	slots chan struct{}
	next  Completer
}

func (p *permitted) Complete(ctx context.Context, call *Call) (*Answer, error) {
	select {
	case p.slots <- struct{}{}:
	default:
		if err := p.wait(ctx, call); err != nil {
			return nil, err
		}
	}
	defer func() { <-p.slots }()
	return p.next.Complete(ctx, call)
}

func (p *permitted) wait(ctx context.Context, call *Call) error {
	began := time.Now()
	defer func() { call.Waited += time.Since(began) }()
	select {
	case p.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return cancelled(ctx, "waiting for a permit")
	}
}
