package llm_test

import (
	"context"
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

// provider is a server with a limit.
type provider struct {
	rate    float64       // requests a second; 0: no such limit
	burst   float64       // how many may come at once
	window  time.Duration // the limit is of rate x window in each window, rather than of a bucket
	most    int           // calls in flight; 0: no such limit
	latency func(n int) time.Duration
	headers bool          // that tell what is left
	seconds bool          // Retry-After in whole seconds
	silent  bool          // no Retry-After
	spells  time.Duration // in each, everything is refused for the last tenth of a second
	bursts  int           // every so many calls, the next ten are refused whatever they are

	mu       sync.Mutex
	began    time.Time
	at       time.Time
	tokens   float64
	inFlight int
	peak     int
	calls    int
	refused  int
	answered int
	starts   []time.Duration
}

func (p *provider) Complete(context.Context, *llm.Call) (*llm.Answer, error) {
	n, header, wait := p.arrive()
	if wait > 0 {
		time.Sleep(2 * time.Millisecond)
		if p.seconds {
			wait = time.Duration(math.Ceil(wait.Seconds())) * time.Second
		}
		if p.silent {
			wait = 0
		}
		return nil, &llm.Error{Kind: batch.ErrRateLimit, Status: 429, Retryable: true, RetryAfter: wait, Header: header}
	}
	time.Sleep(p.latency(n))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inFlight--
	p.answered++
	return &llm.Answer{Header: header}, nil
}

func (p *provider) arrive() (n int, header llm.Header, wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if p.began.IsZero() {
		p.began, p.at, p.tokens = now, now, p.burst
	}
	p.calls++
	p.starts = append(p.starts, now.Sub(p.began))
	switch passed := now.Sub(p.at); {
	case p.window > 0 && passed >= p.window:
		p.tokens, p.at = p.burst, p.began.Add(now.Sub(p.began).Truncate(p.window))
	case p.window == 0:
		p.tokens, p.at = min(p.burst, p.tokens+p.rate*passed.Seconds()), now
	}
	switch {
	case p.bursts > 0 && p.calls > p.bursts && p.calls%p.bursts < 10:
		wait = 200 * time.Millisecond
	case p.spells > 0 && now.Sub(p.began)%p.spells > p.spells-100*time.Millisecond:
		wait = 100 * time.Millisecond
	case p.rate > 0 && p.tokens < 1 && p.window > 0:
		wait = p.at.Add(p.window).Sub(now)
	case p.rate > 0 && p.tokens < 1:
		wait = time.Duration((1-p.tokens)/p.rate*float64(time.Second)) + 1
	case p.most > 0 && p.inFlight >= p.most:
		wait = 100 * time.Millisecond
	default:
		p.tokens--
		p.inFlight++
		p.peak = max(p.peak, p.inFlight)
	}
	if wait > 0 {
		p.refused++
	}
	header = llm.Header{LimitRequests: -1, LimitTokens: -1, RemainingRequests: -1, RemainingTokens: -1}
	if p.headers {
		header.LimitRequests, header.RemainingRequests = int(p.burst), int(max(p.tokens, 0))
		if p.window > 0 {
			header.ResetRequests = p.at.Add(p.window).Sub(now)
		} else {
			header.ResetRequests = time.Duration((p.burst - p.tokens) / p.rate * float64(time.Second)).Round(time.Millisecond)
		}
	}
	return p.calls, header, wait
}

func every(latency time.Duration) func(int) time.Duration {
	return func(int) time.Duration { return latency }
}

// adapted returns a completer that adapts to the provider.
func adapted(p llm.Completer, concurrent int) llm.Completer {
	limiter := llm.NewLimiter(llm.LimiterConfig{MaxConcurrent: concurrent})
	return llm.Park(llm.NewKeyPool([]llm.Key{{Completer: p, Limiter: limiter}}, llm.NewPermits(concurrent), nil), 0)
}

func TestThePaceAdaptsToWhatAProviderBears(t *testing.T) {
	const short = 20 * time.Millisecond
	varied := func(n int) time.Duration { return time.Duration(1+n*7919%40) * time.Second / 2 }
	tests := map[string]struct {
		provider   *provider
		concurrent int
		calls      int
		refused    float64 // at most, as a share of the calls
		use        float64 // at least, of what the provider allows
	}{
		"a limit of requests, short calls": {
			&provider{rate: 100, burst: 100, latency: every(short)}, 64, 10_000, 0.02, 0.85,
		},
		"a limit without a burst, calls that take no time": {
			&provider{rate: 100, burst: 10, latency: every(time.Millisecond)}, 64, 10_000, 0.02, 0.85,
		},
		"Retry-After in whole seconds": {
			&provider{rate: 100, burst: 100, seconds: true, latency: every(short)}, 64, 10_000, 0.02, 0.8,
		},
		"no Retry-After": {
			&provider{rate: 100, burst: 100, silent: true, latency: every(short)}, 64, 10_000, 0.02, 0.6,
		},
		"a limit of requests, long calls": {
			&provider{rate: 10, burst: 60, latency: every(10 * time.Second)}, 256, 10_000, 0.02, 0.8,
		},
		"calls of many lengths": {
			&provider{rate: 10, burst: 60, latency: varied}, 256, 10_000, 0.02, 0.85,
		},
		"one call a second": {
			&provider{rate: 1, burst: 60, latency: every(3 * time.Second)}, 64, 3000, 0.02, 0.85,
		},
		"a limit that is counted by the minute": {
			&provider{rate: 10, burst: 600, window: time.Minute, latency: every(time.Second)}, 64, 10_000, 0.02, 0.8,
		},
		"bursts of 429 besides": {
			&provider{rate: 100, burst: 100, bursts: 1500, latency: every(short)}, 64, 10_000, 0.03, 0.7,
		},
		"a limit of calls in flight": {
			&provider{most: 10, latency: every(time.Second)}, 64, 5000, 0.02, 0.8,
		},
		"refusals each ten seconds besides": {
			&provider{rate: 100, burst: 100, spells: 10 * time.Second, latency: every(50 * time.Millisecond)}, 64, 10_000, 0.02, 0.8,
		},
		"refusals each five seconds besides": {
			&provider{rate: 100, burst: 100, spells: 5 * time.Second, latency: every(50 * time.Millisecond)}, 64, 10_000, 0.02, 0.8,
		},
		"two calls in flight": {
			&provider{most: 2, latency: every(time.Second)}, 64, 1000, 0.03, 0.6,
		},
		"many short calls in flight": {
			&provider{most: 10, latency: every(short)}, 64, 50_000, 0.02, 0.75,
		},
		"no limit": {
			&provider{latency: every(time.Second)}, 1000, 20_000, 0, 0.98,
		},
		"headers that tell of the limit": {
			&provider{rate: 100, burst: 1000, headers: true, latency: every(short)}, 64, 5000, 0.001, 0.99,
		},
		"headers that tell of it to long calls": {
			&provider{rate: 10, burst: 600, headers: true, latency: every(10 * time.Second)}, 256, 5000, 0.001, 0.95,
		},
		"headers, and bursts of 429 besides": {
			&provider{rate: 100, burst: 1000, bursts: 1500, headers: true, latency: every(short)}, 64, 10_000, 0.02, 0.65,
		},
		"headers that tell of a window": {
			&provider{rate: 10, burst: 600, window: time.Minute, headers: true, latency: every(time.Second)},
			64, 10_000, 0.02, 0.8,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, p := time.Now(), test.provider
				for _, err := range mwRun(t.Context(), adapted(p, test.concurrent), test.concurrent, test.calls) {
					require.NoError(t, err)
				}
				refused, use := float64(p.refused)/float64(p.calls), p.ideal(test.calls, test.concurrent)/time.Since(began).Seconds()
				t.Logf("%.2f%% refused, %.0f%% used", 100*refused, 100*use)
				require.LessOrEqual(t, refused, test.refused)
				require.GreaterOrEqual(t, use, test.use)
				require.LessOrEqual(t, p.peak, test.concurrent)
			})
		})
	}
}

// ideal returns the seconds in which the provider would answer so many calls at best.
func (p *provider) ideal(calls, concurrent int) float64 {
	if p.rate > 0 {
		return (float64(calls) - p.burst) / p.rate
	}
	if p.most > 0 {
		concurrent = p.most
	}
	return float64(calls) / float64(concurrent) * p.latency(1).Seconds()
}

func TestALimitThatIsRaisedIsFoundAmongRefusalsThatComeByTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &provider{rate: 30, burst: 30, spells: 10 * time.Second, latency: every(50 * time.Millisecond)}
		time.AfterFunc(time.Minute, func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.rate = 100
		})
		began := time.Now()
		for _, err := range mwRun(t.Context(), adapted(p, 64), 64, 20_000) {
			require.NoError(t, err)
		}
		t.Logf("took %v; %d refused", time.Since(began), p.refused)
		require.Less(t, time.Since(began), 330*time.Second, "with all of the limit it takes 242")
		require.Less(t, p.refused, 400)
	})
}

func TestTheStartIsRampedUpWithinHalfASecond(t *testing.T) {
	for _, concurrent := range []int{4, 64, 1000} {
		synctest.Test(t, func(t *testing.T) {
			p := &provider{latency: every(time.Minute)}
			go mwRun(t.Context(), adapted(p, concurrent), concurrent, concurrent)
			synctest.Wait()
			p.mu.Lock()
			require.Equal(t, max(4, concurrent/16), p.calls, "at once")
			p.mu.Unlock()
			time.Sleep(500 * time.Millisecond)
			p.mu.Lock()
			require.Equal(t, concurrent, p.calls)
			p.mu.Unlock()
			time.Sleep(time.Minute)
		})
	}
}

func TestAnsweredCallsShortenTheRampUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &provider{latency: every(time.Millisecond)}
		began := time.Now()
		mwRun(t.Context(), adapted(p, 256), 256, 2560)
		require.Less(t, time.Since(began), 100*time.Millisecond)
		require.Equal(t, 256, p.peak)
	})
}

func TestManySimultaneous429sCutThePaceOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// All 40 calls in flight meet a 429 together, once; the provider bears everything else.
		var refuse atomic.Bool
		p := &provider{latency: every(10 * time.Second)}
		c := adapted(llm.CompleterFunc(func(ctx context.Context, call *llm.Call) (*llm.Answer, error) {
			answer, err := p.Complete(ctx, call)
			if refuse.Load() {
				return nil, mwLimited(5 * time.Second)
			}
			return answer, err
		}), 40)
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { mwRun(ctx, c, 40, 1000) })
		defer running.Wait()
		defer cancel()
		after := func(wait time.Duration) int {
			time.Sleep(wait)
			p.mu.Lock()
			defer p.mu.Unlock()
			return p.inFlight
		}
		require.Equal(t, 40, after(55*time.Second))
		refuse.Store(true)
		require.Zero(t, after(6*time.Second))
		refuse.Store(false)
		require.InDelta(t, 36, after(4700*time.Millisecond), 1, "nine tenths when the pause is over")
		require.GreaterOrEqual(t, after(9*time.Second), 36, "and not nine tenths of it again for each 429")
		require.Equal(t, 40, after(time.Minute), "it recovers")
	})
}

func TestLimitsOfTokensInHeadersAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// 600 tokens a second, of which 36,000 may be taken at once; a call takes 100.
		var mu sync.Mutex
		left, at, refused := 36_000.0, time.Now(), 0
		server := llm.CompleterFunc(func(context.Context, *llm.Call) (*llm.Answer, error) {
			mu.Lock()
			now := time.Now()
			left, at = min(36_000, left+600*now.Sub(at).Seconds()), now
			if left < 100 {
				refused++
				mu.Unlock()
				return nil, mwLimited(time.Second)
			}
			left -= 100
			header := llm.Header{
				LimitRequests: -1, RemainingRequests: -1, LimitTokens: 36_000, RemainingTokens: int(left),
				ResetTokens: time.Duration((36_000 - left) / 600 * float64(time.Second)),
			}
			mu.Unlock()
			time.Sleep(100 * time.Millisecond)
			return &llm.Answer{Header: header}, nil
		})
		c, began := adapted(server, 64), time.Now()
		var next atomic.Int64
		var wg sync.WaitGroup
		for range 64 {
			wg.Go(func() {
				for next.Add(1) <= 1000 {
					_, err := c.Complete(t.Context(), mwCall(95)) // estimated at some 100
					require.NoError(t, err)
				}
			})
		}
		wg.Wait()
		require.LessOrEqual(t, refused, 10)
		require.InDelta(t, (1000*100-36_000)/600.0, time.Since(began).Seconds(), 12)
	})
}

func TestALimitThatIsWholeAgainHoldsNothingBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		c := adapted(llm.CompleterFunc(func(context.Context, *llm.Call) (*llm.Answer, error) {
			if calls.Add(1) == 1 {
				return &llm.Answer{Header: llm.Header{LimitRequests: 60, ResetRequests: time.Minute}}, nil
			}
			return &llm.Answer{Header: llm.Header{LimitRequests: 60, RemainingRequests: 60}}, nil
		}), 4)
		for range 2 {
			_, _ = c.Complete(t.Context(), &llm.Call{})
		}
		began := time.Now()
		for range 50 {
			_, _ = c.Complete(t.Context(), &llm.Call{})
		}
		require.Equal(t, began, time.Now())
	})
}

func TestHeadersThatLieHoldCallsBackForSecondsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := llm.CompleterFunc(func(context.Context, *llm.Call) (*llm.Answer, error) {
			return &llm.Answer{Header: llm.Header{LimitRequests: 1, ResetRequests: 24 * time.Hour}}, nil
		})
		began := time.Now()
		for _, err := range mwRun(t.Context(), adapted(server, 4), 4, 20) {
			require.NoError(t, err)
		}
		require.Less(t, time.Since(began), 4*time.Minute)
	})
}

func TestHeadersOfOneModelDoNotHoldBackAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := llm.CompleterFunc(func(_ context.Context, call *llm.Call) (*llm.Answer, error) {
			answer := &llm.Answer{}
			if call.Model == "spent" {
				answer.Header = llm.Header{LimitRequests: 60, ResetRequests: time.Minute}
			}
			return answer, nil
		})
		c, began := adapted(server, 4), time.Now()
		for range 3 {
			_, _ = c.Complete(t.Context(), &llm.Call{Model: "spent"})
		}
		require.Positive(t, time.Since(began))
		began = time.Now()
		for range 100 {
			_, _ = c.Complete(t.Context(), &llm.Call{Model: "other"})
		}
		require.Equal(t, began, time.Now())
	})
}

func TestNoCallStartsDuringAPauseThatBeganWhileItWaitedForAPermit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// One permit; the call that holds it meets a 429 while others wait for it.
		server := &mwServer{latency: time.Second, answer: mwLimitsFirst(1, time.Minute)}
		limiter := llm.NewLimiter(llm.LimiterConfig{MaxConcurrent: 1})
		c := llm.Park(llm.NewKeyPool([]llm.Key{{Completer: server, Limiter: limiter}}, llm.NewPermits(1), nil), 0)
		began := time.Now()
		for _, err := range mwRun(t.Context(), c, 8, 8) {
			require.NoError(t, err)
		}
		require.Equal(t, 61*time.Second, server.starts()[1].Sub(began))
	})
}
