package llm_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

// mwLimitsFirst answers the first n calls with a 429, and the others well.
func mwLimitsFirst(n int, retryAfter time.Duration) func(int, *llm.Call) (*llm.Answer, error) {
	return func(i int, _ *llm.Call) (*llm.Answer, error) {
		if i < n {
			return nil, mwLimited(retryAfter)
		}
		return &llm.Answer{}, nil
	}
}

func TestManySimultaneous429sAreOnePause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &mwServer{latency: time.Second, answer: mwLimitsFirst(64, 20*time.Second)}
		c := llm.RateLimit(server, llm.NewLimiter(llm.LimiterConfig{}))
		began := time.Now()
		mwRun(t.Context(), c, 64, 65)
		starts := server.starts()
		require.Equal(t, began, starts[63])
		require.Equal(t, 21*time.Second, starts[64].Sub(began), "Retry-After counts from the answer on")
	})
}

func TestARateLimitIsReturnedToTheCaller(t *testing.T) {
	limited := mwLimited(time.Second)
	server := &mwServer{answer: func(int, *llm.Call) (*llm.Answer, error) { return nil, limited }}
	_, err := llm.RateLimit(server, llm.NewLimiter(llm.LimiterConfig{})).Complete(t.Context(), &llm.Call{})
	require.Equal(t, limited, err)
}

func TestAQuotaErrorDoesNotPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &mwServer{answer: func(int, *llm.Call) (*llm.Answer, error) {
			return nil, mwFailed(batch.ErrQuotaExceeded, 429)
		}}
		began := time.Now()
		mwRun(t.Context(), llm.RateLimit(server, llm.NewLimiter(llm.LimiterConfig{})), 1, 10)
		require.Equal(t, began, time.Now())
	})
}

func TestA429ThatIsNoErrorOfOursPausesToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &mwServer{answer: func(int, *llm.Call) (*llm.Answer, error) {
			return nil, batch.ErrRateLimit.Errorf("slow down")
		}}
		began := time.Now()
		mwRun(t.Context(), llm.RateLimit(server, llm.NewLimiter(llm.LimiterConfig{})), 1, 2)
		require.GreaterOrEqual(t, time.Since(began), time.Second)
	})
}

func TestPausesWithoutRetryAfterDoubleWithEachIncidentUntilACallSucceeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Four calls meet the first incident together, the others come one by one.
		server := &mwServer{latency: time.Millisecond, answer: func(i int, _ *llm.Call) (*llm.Answer, error) {
			if i == 12 {
				return &llm.Answer{}, nil
			}
			return nil, mwLimited(0)
		}}
		c := llm.RateLimit(server, llm.NewLimiter(llm.LimiterConfig{}))
		mwRun(t.Context(), c, 4, 16)
		starts := server.starts()
		require.Equal(t, starts[0], starts[3])
		for i, base := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 60} {
			pause := starts[4+i].Sub(starts[3+i]) - time.Millisecond
			require.GreaterOrEqual(t, pause, base*time.Second)
			require.LessOrEqual(t, pause, 2*base*time.Second)
		}
		require.Equal(t, time.Millisecond, starts[13].Sub(starts[12]), "nothing holds back after a success")
		require.LessOrEqual(t, starts[15].Sub(starts[14]), 2*time.Second+time.Millisecond, "the doubling began anew")
	})
}

func TestA429OfACallBegunBeforeThePauseOnlyLengthensIt(t *testing.T) {
	tests := map[string]struct {
		after, retryAfter time.Duration // of the second 429
		want              time.Duration // until the third call starts
	}{
		"a later end":       {after: 5 * time.Second, retryAfter: 30 * time.Second, want: 35 * time.Second},
		"an earlier end":    {after: 5 * time.Second, retryAfter: 2 * time.Second, want: 11 * time.Second},
		"no end":            {after: 5 * time.Second, want: 11 * time.Second},
		"after it is over":  {after: 60 * time.Second, retryAfter: time.Second, want: 11 * time.Second},
		"just before it is": {after: 10 * time.Second, retryAfter: 20 * time.Second, want: 30 * time.Second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := llm.RateLimit(llm.CompleterFunc(func(_ context.Context, call *llm.Call) (*llm.Answer, error) {
					switch call.Model {
					case "first":
						time.Sleep(time.Second)
						return nil, mwLimited(10 * time.Second)
					case "second":
						time.Sleep(test.after)
						return nil, mwLimited(test.retryAfter)
					}
					return &llm.Answer{}, nil
				}), llm.NewLimiter(llm.LimiterConfig{}))
				var wg sync.WaitGroup
				wg.Go(func() { _, _ = c.Complete(t.Context(), &llm.Call{Model: "second"}) })
				began := time.Now()
				_, _ = c.Complete(t.Context(), &llm.Call{Model: "first"})
				_, err := c.Complete(t.Context(), &llm.Call{Model: "third"})
				require.NoError(t, err)
				require.Equal(t, test.want, time.Since(began))
				wg.Wait()
			})
		})
	}
}

// mwPerSecond counts the calls that the server got in each second that it got any.
func mwPerSecond(began time.Time, server *mwServer) map[int]int {
	calls := map[int]int{}
	for _, at := range server.starts() {
		calls[int(at.Sub(began)/time.Second)]++
	}
	return calls
}

func TestThePaceGrowsBackByDoublingAfterAPause(t *testing.T) {
	completers := map[string]func(llm.Completer) llm.Completer{
		"of a rate limit": func(c llm.Completer) llm.Completer { return llm.RateLimit(c, llm.NewLimiter(llm.LimiterConfig{})) },
		"of a key pool":   func(c llm.Completer) llm.Completer { return mwPool(llm.Limits{}, nil, c) },
	}
	for name, limited := range completers {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &mwServer{latency: time.Second, answer: mwLimitsFirst(16, 10*time.Second)}
				began := time.Now()
				mwRun(t.Context(), limited(server), 16, 16+68)
				require.Equal(t, map[int]int{0: 16, 11: 1, 12: 2, 13: 4, 14: 8, 15: 16, 16: 16, 17: 16, 18: 5},
					mwPerSecond(began, server))
			})
		})
	}
}

func TestABurstAfterAQuietRecoveryIsHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &mwServer{latency: time.Second, answer: mwLimitsFirst(8, 10*time.Second)}
		c := llm.RateLimit(server, llm.NewLimiter(llm.LimiterConfig{}))
		began := time.Now()
		mwRun(t.Context(), c, 8, 8)
		mwRun(t.Context(), c, 1, 2)
		mwRun(t.Context(), c, 8, 8)
		require.Equal(t, map[int]int{0: 8, 11: 1, 12: 1, 13: 3, 14: 5}, mwPerSecond(began, server))
	})
}

func TestOnlyCallsBegunAfterThePauseSpeedTheRecoveryUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var probes []time.Duration
		c := llm.RateLimit(llm.CompleterFunc(func(_ context.Context, call *llm.Call) (*llm.Answer, error) {
			switch call.Model {
			case "limited":
				return nil, mwLimited(10 * time.Second)
			case "before the pause":
				time.Sleep(12 * time.Second)
			default:
				probes = append(probes, time.Since(began))
				time.Sleep(5 * time.Second)
			}
			return &llm.Answer{}, nil
		}), llm.NewLimiter(llm.LimiterConfig{}))
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = c.Complete(t.Context(), &llm.Call{Model: "before the pause"}) })
		synctest.Wait()
		_, _ = c.Complete(t.Context(), &llm.Call{Model: "limited"})
		mwRun(t.Context(), c, 2, 2)
		wg.Wait()
		require.Equal(t, []time.Duration{10 * time.Second, 15 * time.Second}, probes)
	})
}

func TestALengthenedPauseIsFollowedByOneCallOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		server := &mwServer{latency: 3 * time.Second}
		c := llm.RateLimit(llm.CompleterFunc(func(ctx context.Context, call *llm.Call) (*llm.Answer, error) {
			switch call.Model {
			case "limited":
				return nil, mwLimited(time.Second)
			case "limited late":
				time.Sleep(11 * time.Second)
				return nil, mwLimited(20 * time.Second)
			}
			return server.Complete(ctx, call)
		}), llm.NewLimiter(llm.LimiterConfig{}))
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = c.Complete(t.Context(), &llm.Call{Model: "limited late"}) })
		synctest.Wait()
		_, _ = c.Complete(t.Context(), &llm.Call{Model: "limited"})
		mwRun(t.Context(), c, 4, 14)
		wg.Wait()
		require.Equal(t, map[int]int{1: 1, 4: 2, 7: 4, 10: 4, 31: 1, 34: 2}, mwPerSecond(began, server))
	})
}

func TestThePaceDoesNotGrowWithCallsThatFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &mwServer{latency: time.Second, answer: func(i int, _ *llm.Call) (*llm.Answer, error) {
			if i < 8 {
				return nil, mwLimited(10 * time.Second)
			}
			return nil, mwFailed(batch.ErrServer, 500)
		}}
		began := time.Now()
		mwRun(t.Context(), llm.RateLimit(server, llm.NewLimiter(llm.LimiterConfig{})), 8, 8+10)
		require.Equal(t, 21*time.Second, time.Since(began), "one call at a time")
	})
}

func TestThePaceGrowsBackWhileCallsTakeLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &mwServer{latency: time.Second, answer: func(i int, _ *llm.Call) (*llm.Answer, error) {
			if i < 8 {
				return nil, mwLimited(10 * time.Second)
			}
			time.Sleep(time.Hour)
			return &llm.Answer{}, nil
		}}
		began := time.Now()
		chain := llm.Park(llm.RateLimit(server, llm.NewLimiter(llm.LimiterConfig{})), time.Minute)
		require.NoError(t, errors.Join(mwRun(t.Context(), chain, 8, 8)...))
		require.Equal(t, map[int]int{0: 8, 11: 1, 21: 1, 31: 2, 41: 4}, mwPerSecond(began, server))
	})
}

func TestASecond429DuringTheRecoveryPausesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &mwServer{latency: time.Second, answer: mwLimitsFirst(9, 10*time.Second)}
		began := time.Now()
		mwRun(t.Context(), llm.RateLimit(server, llm.NewLimiter(llm.LimiterConfig{})), 8, 8+1+3)
		starts := server.starts()
		require.Equal(t, 11*time.Second, starts[8].Sub(began))
		require.Equal(t, 22*time.Second, starts[9].Sub(began))
		require.Equal(t, 23*time.Second, starts[10].Sub(began), "the recovery begins anew")
		require.Equal(t, 23*time.Second, starts[11].Sub(began))
	})
}

func TestAPanickingCallGivesItsPlaceBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &mwServer{answer: func(i int, _ *llm.Call) (*llm.Answer, error) {
			switch i {
			case 0:
				return nil, mwLimited(time.Second)
			case 1:
				panic("boom")
			}
			return &llm.Answer{}, nil
		}}
		c := llm.RateLimit(server, llm.NewLimiter(llm.LimiterConfig{}))
		_, _ = c.Complete(t.Context(), &llm.Call{})
		require.Panics(t, func() { _, _ = c.Complete(t.Context(), &llm.Call{}) })
		_, err := c.Complete(t.Context(), &llm.Call{})
		require.NoError(t, err)
	})
}

func TestASharedLimiterPausesAllItsCompleters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter := llm.NewLimiter(llm.LimiterConfig{})
		one := llm.RateLimit(&mwServer{answer: mwLimitsFirst(1, time.Minute)}, limiter)
		other := llm.RateLimit(&mwServer{}, limiter)
		began := time.Now()
		_, _ = one.Complete(t.Context(), &llm.Call{})
		_, err := other.Complete(t.Context(), &llm.Call{})
		require.NoError(t, err)
		require.Equal(t, time.Minute, time.Since(began))
	})
}

// mwStrictServer refuses what is over its limit by a 429, and notes calls that came although it had asked to wait.
type mwStrictServer struct {
	perSecond int
	known     bool // it says how long to wait

	mu       sync.Mutex
	served   []time.Time
	since    time.Time // when it last asked to wait
	until    time.Time // the end of that wait
	undercut int
}

func (s *mwStrictServer) Complete(context.Context, *llm.Call) (*llm.Answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if now.After(s.since) && now.Before(s.until) {
		s.undercut++
	}
	if n := len(s.served); n >= s.perSecond && now.Sub(s.served[n-s.perSecond]) < time.Second {
		if !s.known {
			return nil, mwLimited(0)
		}
		wait := time.Second - now.Sub(s.served[n-s.perSecond])
		s.since, s.until = now, now.Add(wait)
		return nil, mwLimited(wait)
	}
	s.served = append(s.served, now)
	return &llm.Answer{}, nil
}

func TestEveryCallGetsThroughAndRetryAfterIsNeverUndercut(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		server := &mwStrictServer{
			perSecond: rapid.IntRange(1, 20).Draw(rt, "calls a second"),
			known:     rapid.Bool().Draw(rt, "says how long"),
		}
		workers := rapid.IntRange(1, 64).Draw(rt, "workers")
		latency := time.Duration(rapid.IntRange(0, 2000).Draw(rt, "latency in ms")) * time.Millisecond
		synctest.Test(t, func(t *testing.T) {
			c := llm.CompleterFunc(func(ctx context.Context, call *llm.Call) (*llm.Answer, error) {
				answer, err := server.Complete(ctx, call)
				if err == nil {
					time.Sleep(latency + time.Duration(rand.IntN(100)))
				}
				return answer, err
			})
			chain := llm.Park(llm.RateLimit(c, llm.NewLimiter(llm.LimiterConfig{})), -1)
			require.NoError(t, errors.Join(mwRun(t.Context(), chain, workers, 200)...))
			require.Len(t, server.served, 200)
			require.Zero(t, server.undercut)
		})
	})
}
