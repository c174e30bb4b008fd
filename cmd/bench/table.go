package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// row is the figures of one contender: medians over the rounds.
type row struct {
	Contender     string  `json:"contender"`
	About         string  `json:"about"`
	Requests      float64 `json:"requests_per_second"`
	Calls         float64 `json:"calls_per_second"`
	CPU           float64 `json:"cpu_us_per_call"`             // the client's
	CPUWithServer float64 `json:"cpu_us_per_call_with_server"` // zero is unknown, here and below
	Allocs        float64 `json:"allocs_per_call"`
	Bytes         float64 `json:"bytes_per_call"`
	P50           float64 `json:"p50_added_us"` // of a request, above the server's latency
	P99           float64 `json:"p99_added_us"`
	PeakMiB       float64 `json:"peak_mib"`
	Ratio         float64 `json:"ratio"` // of calls a second, to the bare loop's
}

// table is all contenders under one load.
type table struct {
	InFlight int     `json:"in_flight"`
	Latency  float64 `json:"latency_seconds"`
	Requests int     `json:"requests"`
	Rounds   int     `json:"rounds"`
	Rows     []row   `json:"rows"`
}

// report is what table comes to.
type report struct {
	Machine machine `json:"machine"`
	Tables  []table `json:"tables"`
}

func (b *bench) table(ctx context.Context) error {
	r := report{Machine: thisMachine(b.url)}
	fmt.Fprintln(b.stdout, r.Machine)
	for _, latency := range orDefault(b.latencies, 0) {
		for _, inFlight := range orDefault(b.inFlight, 64) {
			t, err := b.tableOf(ctx, inFlight, latency)
			if err != nil {
				return err
			}
			if err := t.print(b.stdout); err != nil {
				return err
			}
			r.Tables = append(r.Tables, *t)
		}
	}
	return b.save(r, r.chart)
}

func (b *bench) tableOf(ctx context.Context, inFlight int, latency time.Duration) (*table, error) {
	l := load{inFlight: inFlight, latency: latency, requests: cmp.Or(b.requests, someSeconds(inFlight, latency))}
	t := &table{
		InFlight: inFlight, Latency: latency.Seconds(), Requests: l.requests, Rounds: cmp.Or(b.rounds, 5),
	}
	var entries []entry
	names, reference := b.chosen()
	for _, name := range names {
		entries = append(entries, entry{name, l})
	}
	outcomes, err := b.inTurn(ctx, t.Rounds, entries)
	if err != nil {
		return nil, err
	}
	for i, name := range names {
		c, err := findContender(name)
		if err != nil {
			return nil, err
		}
		t.Rows = append(t.Rows, newRow(c, outcomes[i], outcomes[reference]))
	}
	return t, nil
}

// chosen are the contenders asked for, and the place of the bare loop among them: it runs in any case.
func (b *bench) chosen() (names []string, reference int) {
	for _, c := range contenders() {
		wanted := b.only == nil && c.name != redpandaConnect
		for _, name := range b.only {
			wanted = wanted || name == c.name
		}
		if c.name == bare {
			reference = len(names)
		}
		if wanted || c.name == bare || c.name == redpandaConnect && b.redpanda != "" {
			names = append(names, c.name)
		}
	}
	return names, reference
}

func newRow(c *contender, rounds, reference []*outcome) row {
	perCall := func(figure func(*outcome) float64) float64 {
		return median(rounds, func(o *outcome) float64 { return figure(o) / float64(o.Calls) })
	}
	r := row{
		Contender: c.name, About: c.about,
		Requests: median(rounds, func(o *outcome) float64 { return float64(o.Requests) / o.Seconds }),
		Calls:    median(rounds, (*outcome).callsPerSecond),
		CPU:      median(rounds, (*outcome).cpuPerCall),
		Allocs:   perCall(func(o *outcome) float64 { return float64(o.Mallocs) }),
		Bytes:    perCall(func(o *outcome) float64 { return float64(o.Bytes) }),
		P50:      median(rounds, func(o *outcome) float64 { return o.P50 }),
		P99:      median(rounds, func(o *outcome) float64 { return o.P99 }),
		PeakMiB:  median(rounds, func(o *outcome) float64 { return o.PeakMiB }),
		Ratio:    ratio(rounds, reference),
	}
	if rounds[0].ServerCPU > 0 {
		r.CPUWithServer = perCall(func(o *outcome) float64 { return o.CPU + o.ServerCPU })
	}
	return r
}

func (t *table) print(w io.Writer) error {
	fmt.Fprintf(w, "\n%d in flight, latency %v, %d requests, median of %d rounds in turn\n\n", t.InFlight,
		seconds(t.Latency), t.Requests, t.Rounds)
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(columns, "\trequests/s\tcalls/s\tus CPU/call\twith server\tallocs/call\tbytes/call\tp50 us\tp99 us\tpeak MiB\tratio\t\n")
	for _, r := range t.Rows {
		fmt.Fprintf(columns, "%s\t%.0f\t%.0f\t%.1f\t%s\t%s\t%s\t%s\t%s\t%s\t%.2f\t\n", r.Contender, r.Requests, r.Calls, r.CPU,
			known("%.1f", r.CPUWithServer), known("%.1f", r.Allocs), known("%.0f", r.Bytes), known("%.0f", r.P50),
			known("%.0f", r.P99), known("%.1f", r.PeakMiB), r.Ratio)
	}
	return columns.Flush()
}

// known leaves a blank where nothing is known.
func known(format string, figure float64) string {
	if figure == 0 {
		return "-"
	}
	return fmt.Sprintf(format, figure)
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func orDefault[T any](values []T, otherwise T) []T {
	if len(values) == 0 {
		return []T{otherwise}
	}
	return values
}
