package llm

import (
	"context"
	"slices"
	"sync"
)

// Permits bounds how many model calls are in flight, over all the completers that share it: first tries, tool turns and
// retries alike. It is safe for concurrent use.
type Permits struct {
	mu    sync.Mutex
	free  int
	all   int
	lines []*line // to be told of a permit that comes free
}

// NewPermits returns n permits. It panics where n is less than 1.
func NewPermits(n int) *Permits {
	if n < 1 {
		panic("gluepipe: NewPermits needs at least one permit")
	}
	return &Permits{free: n, all: n}
}

// InFlight returns how many permits are taken now.
func (p *Permits) InFlight() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all - p.free
}

// take takes a permit, if one is free. Of nil permits, one always is.
func (p *Permits) take() bool {
	if p == nil {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.free == 0 {
		return false
	}
	p.free--
	return true
}

// release gives a permit back. unused says that no call was made with it, and has the line that tried not told: it would try
// again at once, and for nothing.
func (p *Permits) release(unused *line) {
	if p == nil {
		return
	}
	p.mu.Lock()
	p.free++
	lines := p.lines
	p.mu.Unlock()
	for _, line := range lines {
		if line != unused {
			line.notify()
		}
	}
}

// notifies has the permits tell line when one comes free.
func (p *Permits) notifies(line *line) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lines = append(slices.Clip(p.lines), line)
}

// Limit returns a Completer that holds a permit during each call of next. A call waits for its permit in the order of
// arrival; the wait counts into [Call.Waited] and ends with [batch.ErrCancelled] when its context does. A draining run
// doesn't end it: a permit comes free as soon as a call in flight finishes.
//
// No call should wait for anything but its answer while it holds a permit, so a rate limit belongs outside. A [KeyPool] takes
// permits itself, at the moment a call starts: nothing that its limits learn meanwhile comes too late.
func (p *Permits) Limit(next Completer) Completer {
	q := newLine()
	p.notifies(q)
	return &permitted{p, q, next}
}

type permitted struct {
	permits *Permits
	line    *line
	next    Completer
}

func (p *permitted) Complete(ctx context.Context, call *Call) (*Answer, error) {
	if !p.line.empty() || !p.permits.take() {
		if err := p.wait(ctx, call); err != nil {
			return nil, err
		}
	}
	defer p.permits.release(nil)
	announceStart(ctx)
	return p.next.Complete(ctx, call)
}

func (p *permitted) wait(ctx context.Context, call *Call) error {
	return p.line.wait(ctx, call, func() (hold, error) {
		if p.permits.take() {
			return hold{}, nil
		}
		return hold{wait: forever}, nil
	})
}
