package main

import (
	"bytes"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/pipeline"
	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestCountsRatesAndTimesReadWell(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 100000: "100,000", 1234567: "1,234,567"} {
		require.Equal(t, want, commas(n))
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1234: "1.2k", 999_999: "1.0M", 1_250_000: "1.2M", 3e9: "3.0G"} {
		require.Equal(t, want, compact(n))
	}
	for rate, want := range map[float64]string{410.4: "410/s", 12345: "12,345/s", 3.44: "3.4/s", 0.5: "30/min", 0.05: "3.0/min"} {
		require.Equal(t, want, pace(rate))
	}
	for d, want := range map[time.Duration]string{
		12 * time.Microsecond: "12µs", 231_400 * time.Microsecond: "231ms", 4210 * time.Millisecond: "4.2s",
		65 * time.Second: "1m5s", 10 * time.Minute: "10m", 2*time.Hour + 13*time.Minute + 9*time.Second: "2h13m",
	} {
		require.Equal(t, want, roughly(d))
	}
	require.Equal(t, "1 request", plural(1, "request"))
	require.Equal(t, "2,000 requests", plural(2000, "request"))
}

func TestProgressTextTellsWhatIsKnown(t *testing.T) {
	p := pipeline.Progress{
		Total: 20000, Done: 1234, Failed: 3, InFlight: 64, TokensUsed: batch.TokenUsage{Total: 1_234_567},
	}
	require.Equal(t, "1,234/20,000 done (6.2%), 3 failed, 64 in flight, 410/s, 1.2M tokens, ETA 46s", progressText(p, 410))
	require.Equal(t, "1,234/20,000 done (6.2%), 3 failed, 64 in flight, 1.2M tokens", progressText(p, 0))
	p.Total = -1
	require.Equal(t, "1,234 done, 3 failed, 64 in flight, 410/s, 1.2M tokens", progressText(p, 410))
	p = pipeline.Progress{Total: 100, Done: 99, InFlight: 2, Slowest: []stages.InFlight{
		{ID: "r17", Age: 130 * time.Second}, {ID: "r3", Age: 118 * time.Second},
	}}
	require.Equal(t, "99/100 done (99.0%), 2 in flight, slowest: r17 2m10s, r3 1m58s", progressText(p, 0))
	p.Paused, p.InFlight = 12*time.Second, 0
	require.Equal(t, "99/100 done (99.0%), 0 in flight, calls wait 12s", progressText(p, 0))
	p = pipeline.Progress{Total: 500, Done: 100, Paused: 10 * time.Minute}
	require.Equal(t, "100/500 done (20.0%), 0 in flight, calls wait 10m0s, 20/s, ETA 10m20s", progressText(p, 20))
	p = pipeline.Progress{Total: 10, Done: 10}
	require.Equal(t, "10/10 done (100.0%), 0 in flight, 5.0/s", progressText(p, 5))
}

func TestTheRateForgetsTheStart(t *testing.T) {
	start := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	var w window
	w.add(start, 0)
	require.Zero(t, w.rate())
	done := 1000 // a burst within the first second
	for second := 1; second <= 60; second++ {
		w.add(start.Add(time.Duration(second)*time.Second), done)
		done += 10
	}
	require.InDelta(t, 10, w.rate(), 0.01)
	require.LessOrEqual(t, len(w.samples), 32)
}

func none() int { return 0 }

func TestPlainProgressPrintsALineEveryFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := newReporter("auto", &out)
		var calls atomic.Int32
		calls.Store(7)
		p.start(func() int { return int(calls.Load()) })
		p.setTotal(100)
		for done := 10; done <= 20; done += 10 {
			time.Sleep(3 * time.Second)
			// 5 of them an earlier run has done: they say nothing of the pace.
			p.observe(pipeline.Progress{Total: -1, Done: done + 5, Dropped: 5, InFlight: 2})
		}
		calls.Store(0) // all wait for a limit, and nothing is delivered
		time.Sleep(5 * time.Second)
		p.close()
		p.close()
		time.Sleep(time.Minute)
		require.Equal(t, []string{
			"00:00:05  15/100 done (15.0%), 7 in flight, 2.0/s, ETA 43s",
			"00:00:10  25/100 done (25.0%), 0 in flight, 2.0/s, ETA 38s",
		}, strings.Split(strings.TrimSpace(out.String()), "\n"))
	})
}

func TestNoProgressPrintsNothingButLines(t *testing.T) {
	var out bytes.Buffer
	p := newReporter("none", &out)
	p.start(none)
	p.observe(pipeline.Progress{Done: 1})
	_, err := p.Write([]byte("a warning\n"))
	require.NoError(t, err)
	p.close()
	require.Equal(t, "a warning\n", out.String())
}

func TestTheBarShowsProgressAndKeepsLinesWhole(t *testing.T) {
	var out lockedBuffer
	b := newBar(&syncWriter{out: &out}, &out)
	b.start(none)
	b.setTotal(4)
	b.observe(pipeline.Progress{Total: -1, Done: 3, Failed: 1})
	_, err := b.Write([]byte("a warning\n"))
	require.NoError(t, err)
	b.close()
	b.close()
	_, err = b.Write([]byte("the summary\n"))
	require.NoError(t, err)
	text := out.String()
	require.Contains(t, text, "3/4 done (75.0%), 1 failed, 0 in flight")
	require.Contains(t, text, "a warning\n")
	require.Contains(t, text, "\r", "the cursor may stand behind an echoed ^C")
	require.True(t, strings.HasSuffix(text, "the summary\n"), text)
}

// lockedBuffer is a terminal that several goroutines write to.
type lockedBuffer struct {
	syncWriter
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}
