package main

import (
	"cmp"
	"context"
	"fmt"
	"time"
)

// memoryUse is what a run from file to file has resident.
type memoryUse struct {
	Requests int       `json:"requests"`
	InFlight int       `json:"in_flight"`
	Latency  float64   `json:"latency_seconds"`
	Resident []float64 `json:"resident_mib"` // at the marks
	PeakMiB  float64   `json:"peak_mib"`
}

// memory runs a long file, and then a short one with many calls in flight.
func (b *bench) memory(ctx context.Context) error {
	loads := []load{
		{requests: cmp.Or(b.requests, 1_000_000), inFlight: 64},
		{requests: min(cmp.Or(b.requests, 50_000), 50_000), inFlight: 5000, latency: 200 * time.Millisecond},
	}
	if b.inFlight != nil || b.latencies != nil {
		loads = loads[:1]
		loads[0].inFlight, loads[0].latency = firstOr(b.inFlight, 64), firstOr(b.latencies, 0)
	}
	m := thisMachine(b.url)
	fmt.Fprintln(b.stdout, m)
	var uses []memoryUse
	for _, l := range loads {
		fmt.Fprintf(b.stdout, "\n%d requests, file to file, %d in flight, latency %v\n", l.requests, l.inFlight, l.latency)
		use, err := b.memoryOf(ctx, l)
		if err != nil {
			return err
		}
		for i, resident := range use.Resident {
			fmt.Fprintf(b.stdout, "%4d%%  %6.1f MiB resident\n", marks()[i], resident)
		}
		fmt.Fprintf(b.stdout, " peak  %6.1f MiB\n", use.PeakMiB)
		uses = append(uses, *use)
	}
	return b.save(struct {
		Machine machine     `json:"machine"`
		Memory  []memoryUse `json:"memory"`
	}{m, uses}, nil)
}

func (b *bench) memoryOf(ctx context.Context, l load) (*memoryUse, error) {
	l.marks = true
	o, err := b.run(ctx, "file", l)
	if err != nil {
		return nil, err
	}
	if len(o.Resident) != len(marks()) {
		return nil, fmt.Errorf("resident memory was taken %d times, want %d", len(o.Resident), len(marks()))
	}
	return &memoryUse{l.requests, l.inFlight, l.latency.Seconds(), o.Resident, o.PeakMiB}, nil
}
