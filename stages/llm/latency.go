package llm

import (
	"math"
	"slices"
	"time"
)

const (
	latencySample = 256 // how many latencies are kept
	enoughSample  = 20  // how many there must be before they say anything
)

// latencies estimates percentiles of the last few hundred latencies. The zero value is empty. It isn't safe for concurrent
// use.
type latencies struct {
	ring   [latencySample]time.Duration
	n      int // how many were ever added
	sorted []time.Duration
	stale  int // how many were added since sorted was made
}

func (l *latencies) add(d time.Duration) {
	l.ring[l.n%latencySample] = d
	l.n++
	l.stale++
}

// percentile returns the least time that is longer than p percent of the sample took, or 0 while there are too few. It sorts
// anew when a tenth of the sample has changed.
func (l *latencies) percentile(p float64) time.Duration {
	size := min(l.n, latencySample)
	if size < enoughSample {
		return 0
	}
	if l.sorted == nil || 10*l.stale >= size {
		l.sorted = append(l.sorted[:0], l.ring[:size]...)
		slices.Sort(l.sorted)
		l.stale = 0
	}
	rank := int(math.Ceil(p / 100 * float64(len(l.sorted))))
	return l.sorted[max(rank, 1)-1] + 1
}
