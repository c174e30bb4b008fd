package main

import (
	"cmp"
	"context"
	"fmt"
	"time"
)

// idealShares are what share of its ideal each contender reached.
type idealShares struct {
	Requests int                `json:"requests"`
	InFlight int                `json:"in_flight"`
	Latency  float64            `json:"latency_seconds"`
	Rounds   int                `json:"rounds"`
	Shares   map[string]float64 `json:"shares"`
}

// idealSeconds is how long the requests would take if the latency were all: the last ones fill the calls in flight or not.
func (l *load) idealSeconds() float64 {
	turns := (l.requests + l.inFlight - 1) / l.inFlight
	return float64(turns) * l.latency.Seconds()
}

func (b *bench) ideal(ctx context.Context) error {
	l := load{
		requests: cmp.Or(b.requests, 20_000), inFlight: firstOr(b.inFlight, 1000), latency: firstOr(b.latencies, time.Second),
	}
	if l.latency == 0 {
		return fmt.Errorf("-latency 0s: without latency there is no ideal\n%s", usage)
	}
	m := thisMachine(b.url)
	fmt.Fprintln(b.stdout, m)
	s, err := b.idealOf(ctx, l, cmp.Or(b.rounds, 3), bare, "file")
	if err != nil {
		return err
	}
	fmt.Fprintf(b.stdout, "\n%d requests, %d in flight, latency %v: ideal %.1f s, median of %d rounds in turn\n", l.requests,
		l.inFlight, l.latency, l.idealSeconds(), s.Rounds)
	for _, name := range []string{bare, "file"} {
		fmt.Fprintf(b.stdout, "%10s  %.3f of the ideal\n", name, s.Shares[name])
	}
	return b.save(struct {
		Machine machine      `json:"machine"`
		Ideal   *idealShares `json:"ideal"`
	}{m, s}, nil)
}

func (b *bench) idealOf(ctx context.Context, l load, rounds int, names ...string) (*idealShares, error) {
	s := &idealShares{l.requests, l.inFlight, l.latency.Seconds(), rounds, make(map[string]float64)}
	var entries []entry
	for _, name := range names {
		entries = append(entries, entry{name, l})
	}
	outcomes, err := b.inTurn(ctx, rounds, entries)
	if err != nil {
		return nil, err
	}
	for i, name := range names {
		s.Shares[name] = median(outcomes[i], func(o *outcome) float64 { return l.idealSeconds() / o.Seconds })
	}
	return s, nil
}
