package llmtest

import "sync"

// gate bounds how many requests of each API key are in flight.
type gate struct {
	limit int

	mu       sync.Mutex
	inFlight map[string]int
}

func newGate(limit int) *gate { return &gate{limit: limit, inFlight: map[string]int{}} }

// enter takes a place, which leave gives back; leave is nil where none is free.
func (g *gate) enter(key string) (leave func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inFlight[key] >= g.limit {
		return nil
	}
	g.inFlight[key]++
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.inFlight[key]--
	}
}
