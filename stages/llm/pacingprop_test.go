package llm_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

// moody is a server that does anything, in the shares that it was given.
type moody struct {
	limits, breaks, panics, vanishes int // in a hundred calls
	headers                          bool
	inFlight, most                   *atomic.Int32 // over all servers

	mu       sync.Mutex
	pauses   [][2]time.Time // asked for: from, until
	undercut int
}

func (m *moody) Complete(ctx context.Context, _ *llm.Call) (*llm.Answer, error) {
	n := m.inFlight.Add(1)
	defer m.inFlight.Add(-1)
	for {
		most := m.most.Load()
		if n <= most || m.most.CompareAndSwap(most, n) {
			break
		}
	}
	m.arrive()
	select {
	case <-time.After(time.Duration(rand.IntN(3000)) * time.Millisecond):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	header := llm.Header{LimitRequests: -1, LimitTokens: -1, RemainingRequests: -1, RemainingTokens: -1}
	if m.headers {
		header = llm.Header{
			LimitRequests: rand.IntN(20) - 2, RemainingRequests: rand.IntN(30) - 2, ResetRequests: anyTime(),
			LimitTokens: rand.IntN(20_000) - 20, RemainingTokens: rand.IntN(20_000) - 20, ResetTokens: anyTime(),
		}
	}
	dice := rand.IntN(100)
	for i, share := range []int{m.limits, m.breaks, m.panics, m.vanishes} {
		if dice -= share; dice >= 0 {
			continue
		}
		switch i {
		case 0:
			return nil, m.limit(header)
		case 1:
			return nil, &llm.Error{Kind: batch.ErrServer, Status: 500, Retryable: true, Header: header, Err: errors.New("broken")}
		case 2:
			panic("boom")
		default:
			return nil, errNobodyThere()
		}
	}
	return &llm.Answer{Header: header, Usage: &batch.TokenUsage{Total: rand.Int64()}}, nil
}

func anyTime() time.Duration {
	return []time.Duration{0, -1, 1, time.Second, time.Minute, 24 * time.Hour, 1<<63 - 1}[rand.IntN(7)]
}

func (m *moody) arrive() {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	for _, pause := range m.pauses {
		if now.After(pause[0]) && now.Before(pause[1]) {
			m.undercut++
		}
	}
}

func (m *moody) limit(header llm.Header) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	wait := time.Duration(rand.IntN(5)) * time.Second
	m.pauses = append(m.pauses, [2]time.Time{time.Now(), time.Now().Add(wait)})
	return &llm.Error{
		Kind: batch.ErrRateLimit, Status: 429, Retryable: true, RetryAfter: wait, Header: header, Err: errors.New("slow down"),
	}
}

func TestWhateverServersDoEveryCallReturnsWithinTheBoundsAndInNoPause(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		percent := func(name string) int { return rapid.SampledFrom([]int{0, 0, 5, 20}).Draw(rt, name) }
		var inFlight, most atomic.Int32
		server := func() *moody {
			return &moody{
				limits: percent("429"), breaks: percent("500"), panics: percent("panic"), vanishes: percent("no server"),
				headers: rapid.Bool().Draw(rt, "headers"), inFlight: &inFlight, most: &most,
			}
		}
		var servers [][]*moody // by pool
		for range rapid.IntRange(1, 3).Draw(rt, "pools") {
			var keys []*moody
			for range rapid.IntRange(1, 3).Draw(rt, "keys") {
				keys = append(keys, server())
			}
			servers = append(servers, keys)
		}
		bound := rapid.IntRange(1, 5).Draw(rt, "permits")
		config := llm.LimiterConfig{
			Limits:        llm.Limits{RPM: rapid.SampledFrom([]int{0, 0, 60, 6000}).Draw(rt, "RPM")},
			MaxConcurrent: rapid.SampledFrom([]int{0, bound}).Draw(rt, "adaptive"),
			MaxOutage:     time.Duration(rapid.IntRange(0, 1).Draw(rt, "outages")) * 20 * time.Second,
		}
		hedge := llm.HedgeConfig{After: rapid.SampledFrom([]time.Duration{0, time.Millisecond, time.Second}).Draw(rt, "hedge")}
		maxWait := rapid.SampledFrom([]time.Duration{-1, time.Second, time.Minute}).Draw(rt, "patience")
		drainAfter := rapid.IntRange(0, 100).Draw(rt, "drain after")
		synctest.Test(t, func(t *testing.T) {
			permits, drain := llm.NewPermits(bound), make(chan struct{})
			var limiters []*llm.Limiter
			var running sync.WaitGroup
			for _, pool := range servers {
				var keys []llm.Key
				for _, s := range pool {
					limiters = append(limiters, llm.NewLimiter(config))
					keys = append(keys, llm.Key{Completer: s, Limiter: limiters[len(limiters)-1]})
				}
				c := llm.Hedge(llm.Park(llm.NewKeyPool(keys, permits, nil), maxWait), hedge)
				for range 2 * bound {
					running.Go(func() {
						for range 10 {
							moodyCall(batch.WithDrain(t.Context(), drain), c)
						}
					})
				}
			}
			time.AfterFunc(time.Duration(drainAfter)*time.Second, func() { close(drain) })
			running.Wait()
			require.LessOrEqual(t, int(most.Load()), bound)
			require.Zero(t, permits.InFlight())
			for _, l := range limiters {
				require.Zero(t, l.InFlight())
			}
			for _, pool := range servers {
				for _, s := range pool {
					require.Zero(t, s.undercut)
				}
			}
			time.Sleep(time.Hour)
		})
	})
}

// moodyCall makes a call that may end early, and may panic.
func moodyCall(ctx context.Context, c llm.Completer) {
	defer func() { _ = recover() }()
	if rand.IntN(4) == 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(rand.IntN(5000))*time.Millisecond)
		defer cancel()
	}
	_, _ = c.Complete(ctx, &llm.Call{Model: string(rune('a' + rand.IntN(3)))})
}
