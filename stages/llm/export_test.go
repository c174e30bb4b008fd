package llm

// AnnounceStart lets tests stand in for the limits below a Hedge.
var AnnounceStart = announceStart

// InFlight returns how many calls the limiter takes to be in flight.
func (l *Limiter) InFlight() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.inFlight
}
