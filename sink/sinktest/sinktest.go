// Package sinktest is the conformance suite of sinks: what the engine relies on, whatever the sink is made of.
package sinktest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// Harness makes the sinks to test. What a sink needs besides is freed by t.Cleanup.
type Harness struct {
	// Open returns a new sink, and a function that returns what it delivered. That is called once, after Close.
	Open func(t *testing.T) (sink batch.Sink, delivered func() []*batch.Result)
	// Kept returns what the sink keeps of a result, where that is less than all. It leaves r as it is.
	Kept func(r *batch.Result) *batch.Result
	// ByIndex says that the sink delivers in the order of the index. Without it, that is the order of Write.
	ByIndex bool
	// Broken returns a sink whose writes fail sooner or later, and the text by which its errors name the place. It is optional.
	Broken func(t *testing.T) (sink batch.Sink, place string)
}

// Run tests the sinks that h makes.
//
// It looks for leaked goroutines: don't run it in parallel with other tests.
func Run(t *testing.T, h Harness) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(t *testing.T, h Harness)
	}{
		{"DeliversEveryResultInOrder", deliversAll},
		{"TakesBatchesOfAnySize", takesAnySize},
		{"LeavesTheResultsAsTheyWere", leavesResults},
		{"DoesNotKeepTheSlice", doesNotKeepSlice},
		{"ClosesWithoutAWrite", closesUnwritten},
		{"ToleratesASecondClose", toleratesSecondClose},
		{"NeverClaimsWhatItDidNotWriteInTime", honestOnEndedContext},
		{"ReturnsTheErrorOfWhatItWritesTo", returnsErrors},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			t.Cleanup(func() { goleak.VerifyNone(t, before) }) // runs after the cleanups that the harness registers
			c.test(t, h)
		})
	}
}

func deliversAll(t *testing.T, h Harness) {
	t.Helper()
	sink, delivered := h.Open(t)
	want := results(500)
	for _, r := range want {
		require.NoError(t, sink.Write(t.Context(), []*batch.Result{r}))
	}
	require.NoError(t, sink.Close(t.Context()))
	h.expect(t, want, delivered())
}

func takesAnySize(t *testing.T, h Harness) {
	t.Helper()
	sink, delivered := h.Open(t)
	want := results(3000)
	rest := want
	for _, size := range []int{1, 0, 2, 7, 64, 1, 926, 1999} {
		require.NoError(t, sink.Write(t.Context(), rest[:size]))
		rest = rest[size:]
	}
	require.Empty(t, rest)
	require.NoError(t, sink.Close(t.Context()))
	h.expect(t, want, delivered())
}

func leavesResults(t *testing.T, h Harness) {
	t.Helper()
	sink, delivered := h.Open(t)
	given := results(50)
	require.NoError(t, sink.Write(t.Context(), given))
	require.NoError(t, sink.Close(t.Context()))
	delivered()
	require.Equal(t, results(50), given)
}

func doesNotKeepSlice(t *testing.T, h Harness) {
	t.Helper()
	sink, delivered := h.Open(t)
	want := results(40)
	window := make([]*batch.Result, 10)
	for chunk := range slices.Chunk(want, len(window)) {
		copy(window, chunk)
		require.NoError(t, sink.Write(t.Context(), window))
		clear(window)
	}
	require.NoError(t, sink.Close(t.Context()))
	h.expect(t, want, delivered())
}

func closesUnwritten(t *testing.T, h Harness) {
	t.Helper()
	sink, delivered := h.Open(t)
	require.NoError(t, sink.Close(t.Context()))
	require.Empty(t, delivered())
}

func toleratesSecondClose(t *testing.T, h Harness) {
	t.Helper()
	sink, delivered := h.Open(t)
	want := results(3)
	require.NoError(t, sink.Write(t.Context(), want))
	require.NoError(t, sink.Close(t.Context()))
	require.NotPanics(t, func() { _ = sink.Close(t.Context()) })
	h.expect(t, want, delivered())
}

// honestOnEndedContext writes when the run's grace period is over: a sink may still write or not, but must say so.
func honestOnEndedContext(t *testing.T, h Harness) {
	t.Helper()
	sink, delivered := h.Open(t)
	want := results(6)
	require.NoError(t, sink.Write(t.Context(), want[:3]))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	err := sink.Write(ended, want[3:])
	_ = sink.Close(ended)
	got := delivered()
	if err == nil {
		h.expect(t, want, got)
		return
	}
	require.ErrorIs(t, err, context.Canceled)
	require.GreaterOrEqual(t, len(got), 3, "what was acknowledged is lost")
	h.expect(t, want[:len(got)], got)
}

func returnsErrors(t *testing.T, h Harness) {
	t.Helper()
	if h.Broken == nil {
		t.Skip("nothing that this sink writes to can fail")
	}
	sink, place := h.Broken(t)
	var err error
	for _, r := range results(100) {
		if err = sink.Write(t.Context(), []*batch.Result{r}); err != nil {
			break
		}
	}
	err = errors.Join(err, sink.Close(t.Context()))
	require.ErrorContains(t, err, place)
}

func (h Harness) expect(t *testing.T, want, got []*batch.Result) {
	t.Helper()
	if h.ByIndex {
		want = slices.SortedFunc(slices.Values(want), func(a, b *batch.Result) int { return cmp.Compare(a.Index, b.Index) })
	}
	require.Len(t, got, len(want))
	for i := range want {
		kept := want[i]
		if h.Kept != nil {
			kept = h.Kept(kept)
		}
		require.Equal(t, encode(t, kept), encode(t, got[i]), "result %d", i)
	}
}

func encode(t *testing.T, r *batch.Result) string {
	t.Helper()
	data, err := r.AppendJSON(nil)
	require.NoError(t, err)
	return string(data)
}

// results returns n results of all sorts, in pairs that finished in the wrong order.
func results(n int) []*batch.Result {
	all := make([]*batch.Result, n)
	for i := range all {
		index := i ^ 1
		if index >= n {
			index = i
		}
		all[i] = result(index)
	}
	return all
}

func result(index int) *batch.Result {
	r := &batch.Result{
		ID: fmt.Sprintf("r%d", index), Index: int64(index), Success: true, Response: "Line one\nline two, \"quoted\", ünïcode \u2028",
		ElapsedTime: 1500 * time.Millisecond, Model: "echo", FinishReason: "stop", Attempts: 1, Fingerprint: fmt.Sprintf("v1:%d", index),
	}
	switch index % 4 {
	case 1:
		cost := 0.25
		r.TokensUsed, r.CostUSD = &batch.TokenUsage{Prompt: 3, Completion: 4, Total: 7}, &cost
		r.Metadata = map[string]any{"row": json.Number("12345678901234567890"), "tags": []any{"a", nil, true}}
	case 2:
		r.Response, r.FinishReason = "", ""
		r.SetError(batch.ErrServer.Errorf("status 500"))
	case 3:
		r.ToolCallsMade = 1
		r.ToolExecutionHistory = []batch.ToolExecution{{ToolName: "now", Arguments: json.RawMessage(`{}`), Result: "12:00"}}
		r.StructuredOutput = json.RawMessage(`{"a":[1,2]}`)
	}
	return r
}
