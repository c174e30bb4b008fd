package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// writeSummary prints what became of a run: one line a fact, aligned. s counts the whole output, of which earlier was there
// before; m measured this run.
func writeSummary(w io.Writer, s, earlier *batch.Summary, m *meter) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) {
		fmt.Fprintf(table, "%s\t"+format+"\n", append([]any{name}, args...)...)
	}
	failed := s.FailedRequests - s.UnfinishedRequests
	line("requests", "%s", commas(s.TotalRequests))
	line("successful", "%s", commas(s.SuccessfulRequests))
	line("failed", "%s", commas(failed))
	for _, kind := range byCount(s.FailedByType) {
		if kind.Unfinished() {
			continue
		}
		count := commas(s.FailedByType[kind])
		if example := m.failures[kind]; example != "" {
			count += ", such as " + example
		}
		line("  "+string(kind), "%s", count)
	}
	if s.UnfinishedRequests > 0 {
		line("not finished", "%s", commas(s.UnfinishedRequests))
	}
	for _, reason := range byCount(s.DroppedRequests) {
		line(reason, "%s", commas(s.DroppedRequests[reason]))
	}
	if t := s.TotalTokensUsed; t != nil {
		line("tokens", "%s (%s prompt, %s completion)", commas(t.Total), commas(t.Prompt), commas(t.Completion))
	}
	if s.TotalCostUSD != nil {
		line("cost", "$%.4f", *s.TotalCostUSD)
	}
	line("wall time", "%s", roughly(s.WallTime))
	if elapsed := s.TotalElapsedTime - earlier.TotalElapsedTime; elapsed > 0 {
		line("processing time", "%s", roughly(elapsed))
		if s.WallTime > 0 {
			line("concurrency benefit", "%.1fx", elapsed.Seconds()/s.WallTime.Seconds())
		}
	}
	if m.times.TotalCount() > 0 {
		line("time per request", "p50 %s, p95 %s, p99 %s",
			roughly(m.percentile(50)), roughly(m.percentile(95)), roughly(m.percentile(99)))
	}
	_ = table.Flush() // a standard error that can't be written can't be complained to either
}

// byCount returns the keys with the largest count first.
func byCount[K cmp.Ordered](counts map[K]int) []K {
	return slices.SortedFunc(maps.Keys(counts), func(a, b K) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
}
