package stages_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

func TestARetryPolicyNamesTheFieldThatIsWrong(t *testing.T) {
	require.NoError(t, stages.RetryPolicy{}.Validate())
	require.NoError(t, stages.RetryPolicy{MaxAttempts: 3, InitialBackoff: time.Second, MaxBackoff: time.Minute}.Validate())
	require.EqualError(t, stages.RetryPolicy{MaxAttempts: -1}.Validate(), "MaxAttempts: want 1 or more")
	require.EqualError(t, stages.RetryPolicy{InitialBackoff: -1}.Validate(), "InitialBackoff: want a duration above 0")
	require.EqualError(t, stages.RetryPolicy{MaxBackoff: -1}.Validate(), "MaxBackoff: want a duration above 0")
}

// waits returns how long each of n items waited before each of its attempts after the first.
func waits(t *testing.T, p stages.RetryPolicy, n int, failure func() *llm.Error) [][]time.Duration {
	t.Helper()
	m := &model{answer: func(int, string, *llm.Call) (*llm.Answer, error) { return nil, failure() }}
	items, e := numbered(n), executor(m, n)
	mustRun(t.Context(), t, items, stages.Validate(stages.Defaults{}), stages.Execute(e), stages.Retry(e, p))
	all := make([][]time.Duration, n)
	for i, item := range items {
		calls := m.asked(item.ID())
		require.Len(t, calls, p.MaxAttempts)
		var sum time.Duration
		for k := range calls[1:] {
			all[i] = append(all[i], calls[k+1].at.Sub(calls[k].at))
			sum += all[i][k]
		}
		require.Equal(t, sum, item.Result.WaitTime)
		require.Zero(t, item.Result.ElapsedTime)
	}
	return all
}

func TestBackoffDoublesUpToItsBoundWithFullJitter(t *testing.T) {
	tests := map[string]struct {
		policy stages.RetryPolicy
		bounds []time.Duration
	}{
		"as asked": {
			stages.RetryPolicy{MaxAttempts: 6, InitialBackoff: 10 * time.Second, MaxBackoff: 60 * time.Second},
			[]time.Duration{10 * time.Second, 20 * time.Second, 40 * time.Second, 60 * time.Second, 60 * time.Second},
		},
		"by default": {
			stages.RetryPolicy{MaxAttempts: 9},
			[]time.Duration{
				time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second,
				time.Minute, time.Minute,
			},
		},
		"with a bound below the first": {
			stages.RetryPolicy{MaxAttempts: 3, InitialBackoff: time.Minute, MaxBackoff: time.Second},
			[]time.Duration{time.Second, time.Second},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				all := waits(t, test.policy, 200, unavailable)
				for k, bound := range test.bounds {
					var waited []time.Duration
					for _, item := range all {
						waited = append(waited, item[k])
					}
					slices.Sort(waited)
					require.Positive(t, waited[0])
					require.LessOrEqual(t, waited[len(waited)-1], bound)
					// What failed together comes back spread out over all of the bound.
					require.Less(t, waited[0], bound/10)
					require.Greater(t, waited[len(waited)-1], bound-bound/10)
					require.InDelta(t, float64(bound/2), float64(waited[len(waited)/2]), float64(bound/4))
					require.Greater(t, len(slices.Compact(waited)), 150)
				}
			})
		})
	}
}

func TestBackoffNeverUndercutsRetryAfter(t *testing.T) {
	bubble(t, func(t *testing.T) {
		policy := stages.RetryPolicy{MaxAttempts: 3, InitialBackoff: time.Second, MaxBackoff: 2 * time.Second}
		all := waits(t, policy, 100, func() *llm.Error {
			failure := unavailable()
			failure.RetryAfter = 5 * time.Minute
			return failure
		})
		var first []time.Duration
		for _, item := range all {
			for k, wait := range item {
				require.Greater(t, wait, 5*time.Minute)
				require.LessOrEqual(t, wait, 5*time.Minute+time.Duration(k+1)*time.Second)
			}
			first = append(first, item[0])
		}
		slices.Sort(first)
		require.Greater(t, len(slices.Compact(first)), 75, "they come back spread out then, too")
	})
}

func TestBackoffDoesNotOverflow(t *testing.T) {
	bubble(t, func(t *testing.T) {
		policy := stages.RetryPolicy{MaxAttempts: 60, InitialBackoff: time.Hour, MaxBackoff: 100 * time.Hour}
		for _, item := range waits(t, policy, 5, unavailable) {
			for _, wait := range item {
				require.Positive(t, wait)
				require.LessOrEqual(t, wait, 100*time.Hour)
			}
			require.Greater(t, slices.Max(item[10:]), 50*time.Hour, "still at its bound")
		}
	})
}

func TestAnAbsurdRetryAfterDoesNotWrapAround(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := &model{answer: func(int, string, *llm.Call) (*llm.Answer, error) {
			failure := unavailable()
			failure.RetryAfter = math.MaxInt64
			return nil, failure
		}}
		drain := make(chan struct{})
		time.AfterFunc(time.Hour, func() { close(drain) })
		items := asking("a")
		tried(batch.WithDrain(t.Context(), drain), t, m, stages.RetryPolicy{MaxAttempts: 2}, items)
		require.Len(t, m.asked(""), 1)
		require.True(t, items[0].Result.Unfinished())
	})
}
