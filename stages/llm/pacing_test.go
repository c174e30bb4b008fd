package llm_test

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

// pooled makes a pool of one key.
func pooled(server llm.Completer, permits *llm.Permits, config llm.LimiterConfig) *llm.KeyPool {
	return llm.NewKeyPool([]llm.Key{{Completer: server, Limiter: llm.NewLimiter(config)}}, permits, nil)
}

func TestACallThatHasAlmostWaitedTooLongSleepsWhileItWaitsForAPermit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The pause takes all but a nanosecond of the wait that is allowed; then another pool's call has the permit for an hour.
		permits, began := llm.NewPermits(1), time.Now()
		hog := permits.Limit(&mwServer{latency: time.Hour})
		server := &mwServer{answer: mwLimitsFirst(1, time.Minute)}
		chain := llm.Park(pooled(server, permits, llm.LimiterConfig{}), time.Minute+1)
		time.AfterFunc(30*time.Second, func() { _, _ = hog.Complete(t.Context(), &llm.Call{}) })
		_, err := chain.Complete(t.Context(), &llm.Call{})
		require.NoError(t, err)
		require.Equal(t, time.Hour+30*time.Second, time.Since(began))
	})
}

func TestAWaitingCallKeepsItsPlaceInTheLineHoweverLittlePatienceItHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		permits := llm.NewPermits(1)
		var order []string
		pool := pooled(llm.CompleterFunc(func(_ context.Context, call *llm.Call) (*llm.Answer, error) {
			order = append(order, call.Model)
			time.Sleep(time.Second)
			return &llm.Answer{}, nil
		}), permits, llm.LimiterConfig{})
		var wg sync.WaitGroup
		call := func(model string, patience time.Duration) {
			wg.Go(func() { _, _ = llm.Park(pool, patience).Complete(t.Context(), &llm.Call{Model: model}) })
			synctest.Wait()
		}
		call("1", -1)
		call("2", -1)
		call("3", 300*time.Millisecond)
		call("4", -1)
		call("5", -1)
		wg.Wait()
		require.Equal(t, []string{"1", "2", "3", "4", "5"}, order)
	})
}

func TestAHugeNumberOfCallsInFlightIsNoBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		c := llm.RateLimit(&mwServer{latency: time.Second}, llm.NewLimiter(llm.LimiterConfig{MaxConcurrent: math.MaxInt}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		require.NoError(t, errors.Join(mwRun(ctx, c, 1, 2)...))
		require.Equal(t, 2*time.Second, time.Since(began))
	})
}

// trap is an error that panics when somebody looks into it.
type trap struct{}

func (trap) Error() string { panic("boom") }
func (trap) Unwrap() error { panic("boom") }

func TestAnErrorThatPanicsLeavesTheLimiterInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		permits := llm.NewPermits(1)
		server := &mwServer{answer: func(n int, _ *llm.Call) (*llm.Answer, error) {
			if n == 0 {
				return nil, trap{}
			}
			return &llm.Answer{}, nil
		}}
		c := pooled(server, permits, llm.LimiterConfig{MaxConcurrent: 1})
		require.Panics(t, func() { _, _ = c.Complete(t.Context(), &llm.Call{}) })
		_, err := c.Complete(t.Context(), &llm.Call{})
		require.NoError(t, err)
		require.Zero(t, permits.InFlight())
	})
}

func TestPoolsThatShareTheirPermitsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		permits := llm.NewPermits(2)
		one, other := &mwServer{latency: time.Second}, &mwServer{latency: time.Second}
		a, b := pooled(one, permits, llm.LimiterConfig{}), pooled(other, permits, llm.LimiterConfig{})
		var wg sync.WaitGroup
		wg.Go(func() { mwRun(t.Context(), a, 4, 100) })
		wg.Go(func() { mwRun(t.Context(), b, 4, 100) })
		time.Sleep(20*time.Second + time.Millisecond)
		require.InDelta(t, len(one.starts()), len(other.starts()), 8)
		wg.Wait()
	})
}

func TestACallOfAQuietPoolIsNotPassedByThoseOfABusyOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		permits := llm.NewPermits(1)
		busy, quiet := pooled(&mwServer{latency: time.Second}, permits, llm.LimiterConfig{}), pooled(&mwServer{}, permits, llm.LimiterConfig{})
		go mwRun(t.Context(), busy, 1, 100) // each call follows the one before at once
		time.Sleep(time.Millisecond)
		began := time.Now()
		_, err := quiet.Complete(t.Context(), &llm.Call{})
		require.NoError(t, err)
		require.LessOrEqual(t, time.Since(began), 2*time.Second)
		time.Sleep(200 * time.Second)
	})
}

func TestAnOutageDoesNotLastThroughATimeInWhichNobodyCalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var up atomic.Bool
		server := &mwServer{answer: func(int, *llm.Call) (*llm.Answer, error) {
			if !up.Load() {
				return nil, errNobodyThere()
			}
			return &llm.Answer{}, nil
		}}
		c := awaiting(server, nil)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := c.Complete(ctx, &llm.Call{})
		require.Error(t, err)
		time.Sleep(time.Hour)
		time.AfterFunc(10*time.Second, func() { up.Store(true) })
		_, err = c.Complete(t.Context(), &llm.Call{})
		require.NoError(t, err)
	})
}

func TestAnOutageOfOneKeysServerLeavesItsCallsToTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, good := mwAlways(errNobodyThere()), &mwServer{latency: time.Second}
		keys := make([]llm.Key, 2)
		for i, server := range []llm.Completer{out, good} {
			limiter := llm.NewLimiter(llm.LimiterConfig{MaxConcurrent: 8, MaxOutage: time.Minute})
			keys[i] = llm.Key{Completer: server, Limiter: limiter}
		}
		c := llm.Park(llm.NewKeyPool(keys, llm.NewPermits(8), nil), 0)
		require.NoError(t, errors.Join(mwRun(t.Context(), c, 8, 8*600)...))
		require.Less(t, len(out.starts()), 120)
	})
}

func TestWithOnePermitAHedgeIsNeverMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &mwServer{latency: 15 * time.Second}
		pool := llm.Park(pooled(server, llm.NewPermits(1), llm.LimiterConfig{MaxConcurrent: 1}), 0)
		hedged := llm.Hedge(pool, llm.HedgeConfig{After: 10 * time.Second})
		for range 20 {
			call := &llm.Call{}
			_, err := hedged.Complete(t.Context(), call)
			require.NoError(t, err)
			require.Zero(t, call.Hedges)
		}
		require.Len(t, server.starts(), 20)
	})
}

func TestASecondLegInFlightIsKeptThoughTheFirstWaitsForALimit(t *testing.T) {
	for name, maxWait := range map[string]time.Duration{"when the run drains": -1, "for too long": 5 * time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var calls atomic.Int32
				server := llm.CompleterFunc(func(ctx context.Context, _ *llm.Call) (*llm.Answer, error) {
					if calls.Add(1) == 1 {
						time.Sleep(12 * time.Second)
						return nil, mwLimited(time.Hour)
					}
					select {
					case <-time.After(20 * time.Second):
						return hedgeAnswer("second"), nil
					case <-ctx.Done():
						return nil, ctx.Err()
					}
				})
				pool := llm.Park(pooled(server, llm.NewPermits(2), llm.LimiterConfig{MaxConcurrent: 2}), maxWait)
				drain := make(chan struct{})
				if maxWait < 0 {
					time.AfterFunc(15*time.Second, func() { close(drain) })
				}
				call := &llm.Call{}
				answer, err := llm.Hedge(pool, llm.HedgeConfig{After: 10 * time.Second}).
					Complete(batch.WithDrain(t.Context(), drain), call)
				require.NoError(t, err)
				require.Equal(t, "second", answer.Text)
				require.Equal(t, 1, call.Hedges)
			})
		})
	}
}

func TestOnlyCallsOfItsModelCountAgainstWhatAnAnswerTellsOfAModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The headers of "told" say that all but one of 600 calls a minute are left, while 1000 calls of another model start.
		server := llm.CompleterFunc(func(_ context.Context, call *llm.Call) (*llm.Answer, error) {
			time.Sleep(time.Second)
			answer := &llm.Answer{}
			if call.Model == "told" {
				answer.Header = llm.Header{
					LimitRequests: 600, RemainingRequests: 599, ResetRequests: 100 * time.Millisecond,
					LimitTokens: -1, RemainingTokens: -1,
				}
			}
			return answer, nil
		})
		c := adapted(server, 2000)
		mwRun(t.Context(), c, 2000, 2000) // past the ramp-up
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = c.Complete(t.Context(), &llm.Call{Model: "told"}) })
		synctest.Wait()
		mwRun(t.Context(), c, 1000, 1000)
		wg.Wait()
		began := time.Now()
		_, err := c.Complete(t.Context(), &llm.Call{Model: "told"})
		require.NoError(t, err)
		require.Equal(t, time.Second, time.Since(began))
	})
}

func TestAProviderThatRefusedForHoursIsBackInUseSoonAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// It admits one call, and then none for ten minutes, and so on; after three hours it bears everything.
		began := time.Now()
		var next time.Time
		server := &mwServer{latency: 100 * time.Millisecond, answer: nil}
		var mu sync.Mutex
		after := 0
		c := adapted(llm.CompleterFunc(func(ctx context.Context, call *llm.Call) (*llm.Answer, error) {
			mu.Lock()
			now := time.Now()
			switch {
			case now.Sub(began) > 3*time.Hour:
				after++
			case now.Before(next):
				defer mu.Unlock()
				return nil, mwLimited(next.Sub(now))
			default:
				next = now.Add(10 * time.Minute)
			}
			mu.Unlock()
			return server.Complete(ctx, call)
		}), 8)
		go mwRun(t.Context(), c, 8, 8000)
		time.Sleep(3*time.Hour + 10*time.Minute)
		mu.Lock()
		require.Greater(t, after, 2000)
		mu.Unlock()
		time.Sleep(3 * time.Hour)
	})
}
