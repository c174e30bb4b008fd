package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// decode reads a file of figures.
func decode(t *testing.T, path string, to any) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, to))
}

func TestTheTableIsPrintedAndWrittenAndDrawn(t *testing.T) {
	dir := t.TempDir()
	figures, chart := filepath.Join(dir, "figures.json"), filepath.Join(dir, "chart.svg")
	out, err := runBench(t, "-only", "file", "-n", "20", "-rounds", "2", "-c", "2,4", "-latency", "1ms", "-json", figures,
		"-svg", chart)
	require.NoError(t, err)
	require.Contains(t, out, "client and server share the cores")
	require.Contains(t, out, "2 in flight, latency 1ms, 20 requests, median of 2 rounds in turn")
	require.Contains(t, out, "4 in flight, latency 1ms")
	var r report
	decode(t, figures, &r)
	require.Len(t, r.Tables, 2)
	for _, table := range r.Tables {
		require.Len(t, table.Rows, 2)
		require.Equal(t, bare, table.Rows[0].Contender, "which is measured in any case")
		require.InDelta(t, 1, table.Rows[0].Ratio, 0)
		require.Equal(t, "file", table.Rows[1].Contender)
		require.Positive(t, table.Rows[1].Ratio)
	}
	drawing, err := os.ReadFile(chart)
	require.NoError(t, err)
	require.Equal(t, 2, elements(t, drawing)["rect bar ours"])
}

func TestScaleMeasuresEachNumberOfCallsInFlight(t *testing.T) {
	dir := t.TempDir()
	figures, chart := filepath.Join(dir, "figures.json"), filepath.Join(dir, "chart.svg")
	out, err := runBench(t, "scale", "-c", "1,4", "-latency", "2ms", "-rounds", "1", "-n", "1", "-json", figures, "-svg", chart)
	require.NoError(t, err)
	require.Contains(t, out, "of the ideal")
	var s scaling
	decode(t, figures, &s)
	require.Len(t, s.ByCalls, 2)
	require.InDelta(t, 2000, s.ByCalls[1].Ideal, 1e-6)
	require.LessOrEqual(t, s.ByCalls[1].File, s.ByCalls[1].Ideal)
	require.Empty(t, s.ByInput)
	require.FileExists(t, chart)
}

func TestIdealIsAShareOfWhatTheLatencyAllows(t *testing.T) {
	l := load{requests: 10, inFlight: 4, latency: 2e9}
	require.InDelta(t, 6, l.idealSeconds(), 1e-9, "three turns, of which the last is not full")
	figures := filepath.Join(t.TempDir(), "figures.json")
	out, err := runBench(t, "ideal", "-n", "40", "-c", "4", "-latency", "5ms", "-rounds", "1", "-json", figures)
	require.NoError(t, err)
	require.Contains(t, out, "file  0.")
	var got struct{ Ideal idealShares }
	decode(t, figures, &got)
	for _, share := range got.Ideal.Shares {
		require.Greater(t, share, 0.0)
		require.LessOrEqual(t, share, 1.0)
	}
}

func TestMemoryIsTakenAlongTheRunAndWithManyInFlight(t *testing.T) {
	figures := filepath.Join(t.TempDir(), "figures.json")
	out, err := runBench(t, "memory", "-n", "300", "-json", figures)
	require.NoError(t, err)
	require.Contains(t, out, "100%")
	var got struct{ Memory []memoryUse }
	decode(t, figures, &got)
	require.Len(t, got.Memory, 2)
	require.Equal(t, 5000, got.Memory[1].InFlight)
	for _, use := range got.Memory {
		require.Len(t, use.Resident, 3)
		require.GreaterOrEqual(t, use.PeakMiB, use.Resident[0])
	}
}

func TestTheEngineIsMeasuredAlone(t *testing.T) {
	out, err := runBench(t, "engine", "-n", "2000", "-rounds", "1")
	require.NoError(t, err)
	require.Contains(t, out, "ns an item")
	require.Contains(t, out, "no server")
}

// fixedCheck yields values in turn.
func fixedCheck(name string, lower bool, values ...float64) checked {
	return checked{name, lower, func(context.Context, *bench) (float64, error) {
		value := values[0]
		values = values[1:]
		return value, nil
	}}
}

func TestACheckFailsWhereARatioIsWorseByMoreThanAQuarterTwice(t *testing.T) {
	b := newTestBench(t, new(options))
	kept := map[string]float64{"speed": 1.2, "allocs": 2}
	for _, good := range []checked{
		fixedCheck("speed", false, 0.91),
		fixedCheck("speed", false, 0.5, 1.3), // a noisy neighbour
		fixedCheck("allocs", true, 2.4),
		fixedCheck("allocs", true, 0),
	} {
		require.NoError(t, b.compare(t.Context(), []checked{good}, kept))
	}
	err := b.compare(t.Context(), []checked{
		fixedCheck("speed", false, 0.5, 0.89), fixedCheck("allocs", true, 9, 2.6),
	}, kept)
	require.EqualError(t, err, "worse by more than a quarter than in cmd/bench/ratios.json:\n"+
		"  speed fell from 1.200 to 0.890\n  allocs rose from 2.000 to 2.600")
	require.Contains(t, b.stdout.(*bytes.Buffer).String(), "0.500, kept  1.200: once more")
}

func TestACheckNeedsItsRatioAndItsMeasurement(t *testing.T) {
	b := newTestBench(t, new(options))
	err := b.compare(t.Context(), []checked{fixedCheck("new", false, 1)}, nil)
	require.EqualError(t, err, "cmd/bench/ratios.json has no new: run bench check -write")
	broken := errors.New("broken")
	err = b.compare(t.Context(), []checked{{"speed", false, func(context.Context, *bench) (float64, error) {
		return 0, broken
	}}}, map[string]float64{"speed": 1})
	require.ErrorIs(t, err, broken)
}

func TestTheKeptRatiosAreThoseOfTheChecks(t *testing.T) {
	kept := make(map[string]float64)
	require.NoError(t, json.Unmarshal(keptRatios, &kept))
	require.Len(t, kept, len(checks()))
	for _, c := range checks() {
		require.Positive(t, kept[c.name], c.name)
	}
}

func TestAContendersProfileIsWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cpu.pprof")
	_, err := runBench(t, "-only", "go-openai", "-n", "20", "-rounds", "1", "-c", "2", "-cpuprofile", path)
	require.NoError(t, err)
	profile, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NotEmpty(t, profile)
}

func TestARunThatIsInterruptedSaysSoAlone(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := run(ctx, []string{"-only", "file", "-n", "20", "-rounds", "1"}, nil, new(bytes.Buffer))
	require.EqualError(t, err, "context canceled")
}
