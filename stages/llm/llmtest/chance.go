package llmtest

import (
	"math/bits"
	"strconv"
	"time"
)

// What the seed is used for; each has a sequence of its own, so that more jitter doesn't mean other faults.
const (
	forFaults uint64 = iota + 1
	forJitter
	forIDs
)

// draw returns the n-th of a seed's random numbers. It keeps no state, so that requests side by side need no lock and the
// n-th number is the same in every run.
func draw(seed int64, purpose, n uint64) uint64 {
	x := uint64(seed) ^ bits.RotateLeft64(purpose, 56) //nolint:gosec // any bits will do
	x += (n + 1) * 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9 // SplitMix64
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// share makes a number from 0 up to 1 of the upper bits.
func share(random uint64) float64 { return float64(random>>11) / (1 << 53) }

// fault decides the fate of the request that drew x, from 0 up to 1.
func (p *profile) fault(x float64) Fault {
	for _, rate := range p.rates() {
		if x -= *rate.value; x < 0 {
			return rate.fault
		}
	}
	return 0
}

// latency is the time before the n-th request's answer.
func (p *profile) latency(n uint64) time.Duration {
	if p.Jitter == 0 {
		return p.Latency
	}
	x := 2*share(draw(p.Seed, forJitter, n)) - 1
	return time.Duration(float64(p.Latency) * (1 + p.Jitter*x))
}

func (s *Server) newID() string {
	return strconv.FormatUint(draw(s.own.Seed, forIDs, s.ids.Add(1)), 36)
}
