package pipeline

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

func TestProgressIsToldWhileNothingIsDeliveredAndNamesWhatTheRunWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &model{takes: time.Second, fail: func(prompt string, _ int) error {
			switch prompt {
			case "message 3":
				time.Sleep(time.Hour)
			case "message 5":
				time.Sleep(2 * time.Hour)
			}
			return nil
		}}
		begin := time.Now()
		var told []Progress
		p := newProcessor(t, &Config{Completer: m, MaxConcurrent: 8, OnProgress: func(p Progress) {
			if since := time.Since(begin); len(told) > 0 && since-told[len(told)-1].Elapsed > time.Second {
				t.Errorf("nothing was told for long before %v", since)
			}
			told = append(told, p)
		}})
		_, err := p.Process(t.Context(), requests(20))
		require.NoError(t, err)
		at := func(after time.Duration) Progress {
			for _, p := range told {
				if p.Elapsed >= after {
					return p
				}
			}
			return Progress{}
		}
		require.Empty(t, at(5*time.Second).Slowest)
		half := at(30 * time.Minute)
		require.Equal(t, 18, half.Done)
		require.Equal(t, 2, half.InFlight)
		require.ElementsMatch(t, []string{"r3", "r5"}, []string{half.Slowest[0].ID, half.Slowest[1].ID})
		require.InDelta(t, 30*time.Minute, half.Slowest[0].Age, float64(time.Second))
		last := at(90 * time.Minute)
		require.Len(t, last.Slowest, 1)
		require.Equal(t, "r5", last.Slowest[0].ID)
		require.Empty(t, told[len(told)-1].Slowest)
	})
}

func TestAProgressLineEndsWithTheSlowestRequests(t *testing.T) {
	p := Progress{Total: 100, Done: 99, InFlight: 1, Elapsed: time.Minute}
	require.Equal(t, "99/100 done, 0 failed, 1 in flight, 0 tokens, 1m0s", p.String())
	p.Slowest = []stages.InFlight{{ID: "r17", Age: 130 * time.Second}, {ID: "r3", Age: 118 * time.Second}}
	require.Equal(t, "99/100 done, 0 failed, 1 in flight, 0 tokens, 1m0s, slowest: r17 2m10s, r3 1m58s", p.String())
}

func TestProgressTellsHowLongCallsWaitForALimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := &llm.Error{Kind: batch.ErrRateLimit, Status: 429, RetryAfter: 30 * time.Second}
		var lines []string
		p := newProcessor(t, &Config{
			Completer: &model{fail: func(_ string, try int) error {
				if try == 1 {
					return limit
				}
				return nil
			}},
			OnProgress: func(p Progress) { lines = append(lines, p.String()) },
		})
		_, err := p.Process(t.Context(), requests(1))
		require.NoError(t, err)
		require.Equal(t, "0/1 done, 0 failed, 0 in flight, 0 tokens, 10s, calls wait 20s", lines[9])
		require.Equal(t, "1/1 done, 0 failed, 0 in flight, 3 tokens, 30s", lines[len(lines)-1])
	})
}

func TestShowProgressIsFreshWhileNothingIsDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slowest := func(n int) []stages.InFlight { return []stages.InFlight{{ID: "r1", Age: time.Minute}}[:min(n, 1)] }
		r := newReporter(&Config{}, source.Slice(requests(2)), gauges{
			inFlight: func() int { return 1 }, paused: func() time.Duration { return 0 }, slowest: slowest,
		})
		r.update(&batch.Summary{TotalRequests: 2, SuccessfulRequests: 1})
		time.Sleep(time.Minute)
		var line bytes.Buffer
		r.printLine(&line)
		require.Equal(t, "gluepipe: 1/2 done, 0 failed, 1 in flight, 0 tokens, 1m0s, slowest: r1 1m0s\n", line.String())
		r.close()
	})
}

func TestTheEngineTellsItsCountsEverySecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var taken []int
		e := Engine{OnDelivery: func(s *batch.Summary) { taken = append(taken, s.TotalRequests) }}
		_, err := e.Run(t.Context(), source.Slice(requests(2)), nowhere{}, settle(2, func(*batch.Item) time.Duration {
			return 3500 * time.Millisecond
		}))
		require.NoError(t, err)
		require.Equal(t, []int{2, 2, 2}, taken[:3])
		require.LessOrEqual(t, len(taken), 5)
	})
}
