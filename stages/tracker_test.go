package stages_test

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

// patient is a model whose answer to a question takes the duration that the question is.
var patient = llm.CompleterFunc(func(_ context.Context, c *llm.Call) (*llm.Answer, error) {
	takes, err := time.ParseDuration(question(c))
	time.Sleep(takes)
	return says("done"), err
})

// watched runs items behind a tracker, and returns what it called slowest at each of the times since the start.
func watched(
	t *testing.T, c llm.Completer, p stages.RetryPolicy, items []*batch.Item, at ...time.Duration,
) [][]stages.InFlight {
	t.Helper()
	tracker, start := new(stages.Tracker), time.Now()
	e := stages.NewExecutor(stages.ExecutorConfig{Completer: c, MaxConcurrent: 8, Tracker: tracker})
	var done sync.WaitGroup
	done.Go(func() {
		_, _ = run(t.Context(), items, stages.Validate(stages.Defaults{}), stages.Execute(e), stages.Retry(e, p))
	})
	var seen [][]stages.InFlight
	for _, after := range at {
		time.Sleep(after - time.Since(start))
		seen = append(seen, tracker.Slowest(3))
	}
	done.Wait()
	time.Sleep(time.Hour)
	require.Empty(t, tracker.Slowest(3), "nothing is in work any more")
	return seen
}

func TestATrackerNamesTheRequestsThatTakeMarkedlyLonger(t *testing.T) {
	bubble(t, func(t *testing.T) {
		items := asking("2m", "1s", "1h", "20m", "1.5s", "0.5s", "40m")
		seen := watched(t, patient, stages.RetryPolicy{}, items, 9*time.Second, 61*time.Second, 30*time.Minute, 50*time.Minute)
		require.Empty(t, seen[0], "nothing takes long yet")
		require.Len(t, seen[1], 3, "of four")
		for _, s := range seen[1] {
			require.Equal(t, 61*time.Second, s.Age)
			require.Contains(t, []string{"2m", "1h", "20m", "40m"}, s.ID)
		}
		require.ElementsMatch(t, []stages.InFlight{{ID: "1h", Age: 30 * time.Minute}, {ID: "40m", Age: 30 * time.Minute}}, seen[2])
		require.Equal(t, []stages.InFlight{{ID: "1h", Age: 50 * time.Minute}}, seen[3])
	})
}

func TestTheSlowestRequestComesFirst(t *testing.T) {
	bubble(t, func(t *testing.T) {
		items := asking("1s", "2s", "3s", "1h1s", "1h2s", "1h3s", "1h4s", "5s", "1h5s") // the last begins when one is done
		seen := watched(t, patient, stages.RetryPolicy{}, items, 30*time.Second)
		require.Len(t, seen[0], 3)
		require.True(t, slices.IsSortedFunc(seen[0], func(a, b stages.InFlight) int { return cmp.Compare(b.Age, a.Age) }))
		require.Equal(t, 30*time.Second, seen[0][0].Age)
	})
}

func TestARequestThatTakesAsLongAsOthersIsNotSlow(t *testing.T) {
	bubble(t, func(t *testing.T) {
		items := numbered(16) // by 8 at once
		for _, item := range items {
			item.Request.UserMessage = "1m"
		}
		require.Empty(t, watched(t, patient, stages.RetryPolicy{}, items, 119*time.Second)[0])
	})
}

func TestARequestsAgeIsOverAllItsAttempts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := &model{latency: time.Second, answer: func(n int, question string, _ *llm.Call) (*llm.Answer, error) {
			if question == "bad" && n < 3 {
				failure := unavailable()
				failure.RetryAfter = time.Hour
				return nil, failure
			}
			return says(question), nil
		}}
		seen := watched(t, m, stages.RetryPolicy{MaxAttempts: 3}, asking("good", "bad"), 30*time.Minute, 90*time.Minute)
		require.Equal(t, []stages.InFlight{{ID: "bad", Age: 30 * time.Minute}}, seen[0], "it backs off")
		require.Equal(t, []stages.InFlight{{ID: "bad", Age: 90 * time.Minute}}, seen[1], "again")
	})
}

func TestNothingIsInWorkAfterACancellationOrADrain(t *testing.T) {
	for _, end := range []string{"cancelled", "drained"} {
		t.Run(end, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				tracker := new(stages.Tracker)
				e := stages.NewExecutor(stages.ExecutorConfig{Completer: failing(100), MaxConcurrent: 2, Tracker: tracker})
				drain := make(chan struct{})
				ctx, cancel := context.WithCancelCause(batch.WithDrain(t.Context(), drain))
				defer cancel(nil)
				time.AfterFunc(time.Minute, func() {
					if end == "drained" {
						close(drain)
					} else {
						cancel(errBroken)
					}
				})
				mustRun(ctx, t, numbered(20), stages.Validate(stages.Defaults{}), stages.Execute(e),
					stages.Retry(e, stages.RetryPolicy{MaxAttempts: 100, InitialBackoff: time.Minute}))
				time.Sleep(time.Hour)
				require.Empty(t, tracker.Slowest(100))
			})
		})
	}
}

func TestARequestInFlightReadsWell(t *testing.T) {
	require.Equal(t, "r17 2m10s", stages.InFlight{ID: "r17", Age: 130_400 * time.Millisecond}.String())
	require.Equal(t, `"a\x1b[31m\nb" 12s`, stages.InFlight{ID: "a\x1b[31m\nb", Age: 12 * time.Second}.String())
	require.Equal(t, strings.Repeat("é", 20)+"... 12s", stages.InFlight{ID: strings.Repeat("é", 50), Age: 12 * time.Second}.String())
}

func TestARequestWhoseAttemptsAreUsedUpIsNotInWork(t *testing.T) {
	bubble(t, func(t *testing.T) {
		watched(t, failing(100), stages.RetryPolicy{MaxAttempts: 2}, asking("a", "b"))
	})
}
