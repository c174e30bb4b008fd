package main

import (
	"cmp"
	"context"
	"fmt"
	"text/tabwriter"
	"time"
)

// scaling is how throughput follows the calls in flight, and whether it depends on the input's length.
type scaling struct {
	Machine machine `json:"machine"`
	Latency float64 `json:"latency_seconds"` // of ByCalls
	Rounds  int     `json:"rounds"`
	ByCalls []point `json:"by_calls_in_flight"`
	ByInput []point `json:"by_length_of_input"` // at 64 in flight, without latency
}

// point is the throughput of the library, file to file, and of the bare loop, in requests a second.
type point struct {
	Requests int     `json:"requests"`
	InFlight int     `json:"in_flight"`
	Ideal    float64 `json:"ideal,omitzero"` // calls in flight over latency
	Bare     float64 `json:"go_openai"`
	File     float64 `json:"file"`
}

// turns is how many calls each place in flight makes, so that the last ones weigh little.
const turns = 25

func (b *bench) scale(ctx context.Context) error {
	latency := firstOr(b.latencies, 200*time.Millisecond)
	s := &scaling{Machine: thisMachine(b.url), Latency: latency.Seconds(), Rounds: cmp.Or(b.rounds, 3)}
	if latency == 0 {
		return fmt.Errorf("-latency 0s: without latency there is no ideal\n%s", usage)
	}
	fmt.Fprintln(b.stdout, s.Machine)
	inFlight := b.inFlight
	if inFlight == nil {
		inFlight = []int{1, 8, 64, 512, 4096}
	}
	for _, c := range inFlight {
		p, err := b.point(ctx, load{requests: turns * c, inFlight: c, latency: latency}, s.Rounds)
		if err != nil {
			return err
		}
		s.ByCalls = append(s.ByCalls, *p)
	}
	for n := 10_000; n <= cmp.Or(b.requests, 1_000_000); n *= 10 {
		p, err := b.point(ctx, load{requests: n, inFlight: 64}, 1)
		if err != nil {
			return err
		}
		s.ByInput = append(s.ByInput, *p)
	}
	if err := b.printScale(s); err != nil {
		return err
	}
	return b.save(s, s.chart)
}

func (b *bench) point(ctx context.Context, l load, rounds int) (*point, error) {
	outcomes, err := b.inTurn(ctx, rounds, []entry{{bare, l}, {"file", l}})
	if err != nil {
		return nil, err
	}
	p := &point{
		Requests: l.requests, InFlight: l.inFlight,
		Bare: median(outcomes[0], (*outcome).callsPerSecond), File: median(outcomes[1], (*outcome).callsPerSecond),
	}
	if l.latency > 0 {
		p.Ideal = float64(l.inFlight) / l.latency.Seconds()
	}
	return p, nil
}

func (b *bench) printScale(s *scaling) error {
	fmt.Fprintf(b.stdout, "\nrequests/s by calls in flight, latency %v, median of %d rounds in turn\n\n", seconds(s.Latency), s.Rounds)
	columns := tabwriter.NewWriter(b.stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(columns, "in flight\tideal\tgo-openai\tfile\tof the ideal\tof go-openai\t\n")
	for _, p := range s.ByCalls {
		fmt.Fprintf(columns, "%d\t%.0f\t%.0f\t%.0f\t%.3f\t%.3f\t\n", p.InFlight, p.Ideal, p.Bare, p.File, p.File/p.Ideal, p.File/p.Bare)
	}
	if err := columns.Flush(); err != nil || len(s.ByInput) == 0 {
		return err
	}
	fmt.Fprint(b.stdout, "\nrequests/s by length of input, 64 in flight, no latency\n\n")
	fmt.Fprint(columns, "requests\tgo-openai\tfile\tof go-openai\t\n")
	for _, p := range s.ByInput {
		fmt.Fprintf(columns, "%d\t%.0f\t%.0f\t%.3f\t\n", p.Requests, p.Bare, p.File, p.File/p.Bare)
	}
	return columns.Flush()
}
