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
	queue []*line // whose heads wait for a permit, in the order in which they came
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

// take takes a permit, if one is free beside those that heads of lines wait for. Of nil permits, one always is. q is the line
// whose head asks: where it gets none it joins the queue, and is told when its turn comes. nil asks once, for no line.
func (p *Permits) take(q *line) bool {
	if p == nil {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	before := slices.Index(p.queue, q)
	if before < 0 {
		before = len(p.queue)
	}
	if before < p.free {
		p.free--
		return true // the line withdraws as the head leaves it
	}
	if q != nil && before == len(p.queue) {
		p.queue = append(p.queue, q)
	}
	return false
}

// withdraw takes a line out of the queue whose head no longer waits for a permit, and has the next ones try.
func (p *Permits) withdraw(q *line) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.queue, q); i >= 0 {
		p.queue = slices.Delete(p.queue, i, i+1)
		p.tell()
	}
}

// tell notifies the lines for whose heads there are permits.
func (p *Permits) tell() {
	for _, q := range p.queue[:min(p.free, len(p.queue))] {
		q.notify()
	}
}

func (p *Permits) release() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free++
	p.tell()
}

// Limit returns a Completer that holds a permit during each call of next. A call waits for its permit in the order of
// arrival, and completers that share the permits take turns; the wait counts into [Call.Waited] and ends with [batch.ErrCancelled] when its context does. A draining run
// doesn't end it: a permit comes free as soon as a call in flight finishes.
//
// No call should wait for anything but its answer while it holds a permit, so a rate limit belongs outside. A [KeyPool] takes
// permits itself, at the moment a call starts: nothing that its limits learn meanwhile comes too late.
func (p *Permits) Limit(next Completer) Completer {
	return &permitted{p, newLine(p), next}
}

type permitted struct {
	permits *Permits
	line    *line
	next    Completer
}

func (p *permitted) Complete(ctx context.Context, call *Call) (*Answer, error) {
	if !p.line.empty() || !p.permits.take(nil) {
		if err := p.wait(ctx, call); err != nil {
			return nil, err
		}
	}
	defer p.permits.release()
	announceStart(ctx)
	return p.next.Complete(ctx, call)
}

func (p *permitted) wait(ctx context.Context, call *Call) error {
	return p.line.wait(ctx, call, func() (hold, error) {
		if p.permits.take(p.line) {
			return hold{}, nil
		}
		return noPermit, nil
	})
}
