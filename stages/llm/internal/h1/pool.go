package h1

import (
	"sync"
	"time"
)

// pool holds idle connections by address, each stack with the one that was used last on top: those that few calls need grow
// old at the bottom.
type pool struct {
	mu    sync.Mutex
	idle  map[string][]*conn
	timer *time.Timer // fires when the oldest connection is too old; nil while there is none
}

// get returns a connection that is open still, or nil.
func (p *pool) get(address string, maxAge time.Duration) *conn {
	for {
		c := p.pop(address)
		if c == nil {
			return nil
		}
		// By the clock on the wall, since a machine that slept may have missed the timer.
		if time.Now().Round(0).Sub(c.idleSince.Round(0)) < maxAge && c.alive() {
			c.reused = true
			return c
		}
		c.close()
	}
}

func (p *pool) pop(address string) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	stack := p.idle[address]
	if len(stack) == 0 {
		return nil
	}
	last := len(stack) - 1
	c := stack[last]
	stack[last] = nil
	p.idle[address] = stack[:last]
	return c
}

// put keeps a connection, unless there are enough.
func (p *pool) put(c *conn) {
	c.idleSince = time.Now()
	if !p.push(c, c.transport.MaxIdlePerHost, c.transport.IdleTimeout) {
		c.close()
	}
}

func (p *pool) push(c *conn, most int, maxAge time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	stack := p.idle[c.address]
	if len(stack) >= most {
		return false
	}
	if p.idle == nil {
		p.idle = map[string][]*conn{}
	}
	p.idle[c.address] = append(stack, c)
	if p.timer == nil {
		p.timer = time.AfterFunc(maxAge, func() { p.expire(maxAge) })
	}
	return true
}

// expire closes the connections that have been idle for too long, and comes back for the next.
func (p *pool) expire(maxAge time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer == nil {
		return // closed meanwhile
	}
	now, next := time.Now(), time.Duration(-1)
	for address, stack := range p.idle {
		old := 0
		for old < len(stack) && now.Sub(stack[old].idleSince) >= maxAge {
			stack[old].close()
			old++
		}
		n := copy(stack, stack[old:])
		clear(stack[n:])
		if n == 0 {
			delete(p.idle, address)
			continue
		}
		p.idle[address] = stack[:n]
		if left := maxAge - now.Sub(stack[0].idleSince); next < 0 || left < next {
			next = left
		}
	}
	if next < 0 {
		p.timer = nil
		return
	}
	p.timer.Reset(next)
}

func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, stack := range p.idle {
		for _, c := range stack {
			c.close()
		}
	}
	p.idle = nil
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
}
