package llm

import (
	"sync"
	"time"
)

// patienceStep is how late the end of a call's patience may be noticed where no limit holds the line back just then.
const patienceStep = 100 * time.Millisecond

// patience watches how long limits hold back a line in which a call waits. It has a timer of its own: a call that woke up
// to look would lose its place in the line.
type patience struct {
	line   *line
	park   *parkedContext
	before time.Duration // for how long limits had held back the line
	lost   chan struct{} // closed when they have for as long as park allows

	mu    sync.Mutex
	timer *time.Timer
	ended bool
}

// patience begins the wait of a call. nil is patience without end.
func (q *line) patience(park *parkedContext) *patience {
	if park == nil {
		return nil
	}
	p := &patience{line: q, park: park, lost: make(chan struct{})}
	p.before, _ = q.limitedFor()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer = time.AfterFunc(park.left(), p.look)
	return p
}

func (p *patience) end() <-chan struct{} {
	if p == nil {
		return nil
	}
	return p.lost
}

func (p *patience) look() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return
	}
	total, limited := p.line.limitedFor()
	left := p.park.left() - (total - p.before)
	switch {
	case left <= 0:
		close(p.lost)
	case limited:
		p.timer.Reset(left)
	default: // it may be long until a limit holds the line back again
		p.timer.Reset(max(left, patienceStep))
	}
}

// book ends the wait, and counts it.
func (p *patience) book() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	p.timer.Stop()
	total, _ := p.line.limitedFor()
	p.park.add(total - p.before)
}
