package llm_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

func ExamplePark() {
	tries := 0
	client := llm.CompleterFunc(func(context.Context, *llm.Call) (*llm.Answer, error) {
		if tries++; tries == 1 {
			return nil, &llm.Error{
				Kind: batch.ErrRateLimit, Status: 429, RetryAfter: time.Millisecond, Err: errors.New("slow down"),
			}
		}
		return &llm.Answer{Text: "hello"}, nil
	})
	limited := llm.RateLimit(client, llm.NewLimiter(llm.LimiterConfig{}))
	answer, err := llm.Park(limited, time.Minute).Complete(context.Background(), &llm.Call{})
	fmt.Println(answer.Text, err, tries)
	// Output: hello <nil> 2
}

func TestParkMakesALimitedCallAgainWhenThePauseIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &mwServer{latency: time.Second, answer: mwLimitsFirst(3, time.Minute)}
		call := &llm.Call{}
		_, err := llm.Park(llm.RateLimit(server, llm.NewLimiter(llm.LimiterConfig{})), 0).Complete(t.Context(), call)
		require.NoError(t, err)
		require.Len(t, server.starts(), 4)
		require.Equal(t, 3*time.Minute, call.Waited)
	})
}

func TestParkEndsInARateLimitErrorWhenTheWaitIsUsedUp(t *testing.T) {
	tests := map[string]struct {
		maxWait time.Duration
		limits  llm.Limits
		answer  func(int, *llm.Call) (*llm.Answer, error)
		waited  time.Duration
		text    string
	}{
		"within a pause": {
			maxWait: 10 * time.Minute, answer: mwLimitsFirst(100, 4*time.Minute), waited: 10 * time.Minute,
			text: "gave up after waiting 10m0s for rate limits: too many requests",
		},
		"with the pause": {
			maxWait: 8 * time.Minute, answer: mwLimitsFirst(100, 4*time.Minute), waited: 8 * time.Minute,
			text: "gave up after waiting 8m0s for rate limits: too many requests",
		},
		"by default": {
			answer: mwLimitsFirst(100, time.Hour), waited: 15 * time.Minute,
			text: "gave up after waiting 15m0s for rate limits: too many requests",
		},
		"before the first try": {
			maxWait: 30 * time.Second, limits: llm.Limits{RPM: 1}, waited: 30 * time.Second,
			text: "gave up after waiting 30s for rate limits",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &mwServer{answer: test.answer}
				limited := llm.RateLimit(server, llm.NewLimiter(llm.LimiterConfig{Limits: test.limits}))
				if test.limits.RPM > 0 {
					_, _ = limited.Complete(t.Context(), &llm.Call{})
				}
				call := &llm.Call{}
				_, err := llm.Park(limited, test.maxWait).Complete(t.Context(), call)
				var e *llm.Error
				require.ErrorAs(t, err, &e)
				require.Equal(t, batch.ErrRateLimit, e.Kind)
				require.False(t, e.Retryable)
				require.EqualError(t, err, test.text)
				require.Equal(t, test.waited, call.Waited)
			})
		})
	}
}

func TestParkWithoutABoundWaitsAsLongAsItTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &mwServer{answer: mwLimitsFirst(3, 24*time.Hour)}
		began := time.Now()
		_, err := llm.Park(llm.RateLimit(server, llm.NewLimiter(llm.LimiterConfig{})), -1).Complete(t.Context(), &llm.Call{})
		require.NoError(t, err)
		require.Equal(t, 72*time.Hour, time.Since(began))
	})
}

func TestParkDoesNotCountTheTimeOfCallsAndPermitsAsWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &mwServer{latency: time.Hour, answer: mwLimitsFirst(2, 20*time.Second)}
		limited := llm.RateLimit(llm.NewPermits(1).Limit(server), llm.NewLimiter(llm.LimiterConfig{}))
		require.NoError(t, errors.Join(mwRun(t.Context(), llm.Park(limited, time.Minute), 2, 2)...))
	})
}

func TestParkReturnsOtherErrorsAtOnce(t *testing.T) {
	for _, want := range []error{mwFailed(batch.ErrServer, 500), mwFailed(batch.ErrQuotaExceeded, 429), errors.New("boom")} {
		server := &mwServer{answer: func(int, *llm.Call) (*llm.Answer, error) { return nil, want }}
		_, err := llm.Park(llm.RateLimit(server, llm.NewLimiter(llm.LimiterConfig{})), 0).Complete(t.Context(), &llm.Call{})
		require.Equal(t, want, err)
		require.Len(t, server.starts(), 1)
	}
}

func TestParkReturnsA429ThatNoLimiterHasSeen(t *testing.T) {
	server := &mwServer{answer: mwLimitsFirst(1, time.Minute)}
	_, err := llm.Park(server, 0).Complete(t.Context(), &llm.Call{})
	require.Equal(t, mwLimited(time.Minute), err)
	require.Len(t, server.starts(), 1)
}

func TestAParkedCallIsLeftForALaterRunWhenTheRunDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &mwServer{latency: time.Second, answer: mwLimitsFirst(100, time.Hour)}
		chain := llm.Park(llm.RateLimit(server, llm.NewLimiter(llm.LimiterConfig{})), -1)
		drain := make(chan struct{})
		time.AfterFunc(time.Minute, func() { close(drain) })
		began := time.Now()
		for _, err := range mwRun(batch.WithDrain(t.Context(), drain), chain, 8, 8) {
			require.Equal(t, batch.ErrCancelled, batch.KindOf(err))
		}
		require.Equal(t, time.Minute, time.Since(began))
		require.Len(t, server.starts(), 8)
	})
}

func TestEveryTryOfAParkedCallPassesTheLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &mwServer{latency: 10 * time.Millisecond, answer: func(i int, _ *llm.Call) (*llm.Answer, error) {
			if i%3 > 0 {
				return nil, mwLimited(time.Millisecond)
			}
			return &llm.Answer{}, nil
		}}
		chain := llm.Park(llm.RateLimit(server, llm.NewLimiter(llm.LimiterConfig{Limits: llm.Limits{RPM: 30}})), -1)
		require.NoError(t, errors.Join(mwRun(t.Context(), chain, 64, 64)...))
		require.LessOrEqual(t, mwMostInAMinute(server.starts()), 30)
		require.Greater(t, len(server.starts()), 180)
	})
}
