package llm_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

// mwServer is a Completer that behaves like a server: it answers each call after a while by a script, and keeps the times
// at which calls reached it.
type mwServer struct {
	latency time.Duration
	// answer is called when the latency is over with the number of the call, from 0; nil always succeeds.
	answer func(n int, call *llm.Call) (*llm.Answer, error)

	mu       sync.Mutex
	started  []time.Time
	inFlight int
	most     int // in flight at once
}

func (s *mwServer) Complete(ctx context.Context, call *llm.Call) (*llm.Answer, error) {
	s.mu.Lock()
	n := len(s.started)
	s.started = append(s.started, time.Now())
	s.inFlight++
	s.most = max(s.most, s.inFlight)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.inFlight--
	}()
	if s.latency > 0 {
		if err := pass(ctx, s.latency); err != nil {
			return nil, err
		}
	}
	if s.answer == nil {
		return &llm.Answer{Text: "ok"}, nil
	}
	return s.answer(n, call)
}

// pass lets time pass, unless ctx ends first. No time at all isn't waited for: a timer that is up when it is asked crashes the
// race detector now and then, in a bubble of which several goroutines do so at once (Go 1.26).
func pass(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *mwServer) starts() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]time.Time(nil), s.started...)
}

func (s *mwServer) maxInFlight() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.most
}

// mwRun makes n calls of c with the given number of workers, and returns their errors.
func mwRun(ctx context.Context, c llm.Completer, workers, n int) []error {
	errs := make([]error, n)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				_, errs[i] = c.Complete(ctx, mwCall(0))
			}
		})
	}
	wg.Wait()
	return errs
}

// mwCall returns a call that is estimated at the given number of tokens.
func mwCall(tokens int) *llm.Call {
	return &llm.Call{Model: "m", Params: map[string]any{"max_tokens": tokens}}
}

func mwAnswer(tokens int64) *llm.Answer {
	return &llm.Answer{Usage: &batch.TokenUsage{Prompt: tokens - 1, Completion: 1, Total: tokens}}
}

func mwLimited(retryAfter time.Duration) error {
	return &llm.Error{
		Kind: batch.ErrRateLimit, Status: 429, Retryable: true, RetryAfter: retryAfter, Err: errors.New("too many requests"),
	}
}

func mwFailed(kind batch.ErrorKind, status int) error {
	return &llm.Error{Kind: kind, Status: status, Err: fmt.Errorf("status %d", status)}
}

func BenchmarkMiddlewareWithoutLimits(b *testing.B) {
	answer := &llm.Answer{}
	client := llm.CompleterFunc(func(context.Context, *llm.Call) (*llm.Answer, error) { return answer, nil })
	for _, keys := range []int{1, 2} {
		permits := llm.NewPermits(64)
		pool := make([]llm.Key, keys)
		for i := range pool {
			pool[i] = llm.Key{Name: "...", Completer: llm.Timeout(client)}
		}
		chain := llm.Park(llm.NewKeyPool(pool, permits, nil), 0)
		for _, workers := range []int{1, 8, 64} {
			b.Run(fmt.Sprintf("keys=%d/workers=%d", keys, workers), func(b *testing.B) {
				b.ReportAllocs()
				var wg sync.WaitGroup
				for range workers {
					wg.Go(func() {
						call := &llm.Call{}
						for range b.N / workers {
							if _, err := chain.Complete(b.Context(), call); err != nil {
								b.Error(err)
							}
						}
					})
				}
				wg.Wait()
			})
		}
	}
}
