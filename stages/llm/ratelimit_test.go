package llm_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

func ExampleRateLimit() {
	client := llm.CompleterFunc(func(context.Context, *llm.Call) (*llm.Answer, error) {
		return &llm.Answer{Text: "hello"}, nil
	})
	limiter := llm.NewLimiter(llm.LimiterConfig{Limits: llm.Limits{RPM: 600, TPM: 100_000}})
	answer, err := llm.RateLimit(client, limiter).Complete(context.Background(), &llm.Call{})
	fmt.Println(answer.Text, err)
	// Output: hello <nil>
}

// mwMostInAMinute returns the largest number of the times, which ascend, in any window of 60 seconds.
func mwMostInAMinute(times []time.Time) int {
	most, first := 0, 0
	for i, at := range times {
		for at.Sub(times[first]) >= time.Minute {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

func TestRateLimitHoldsInEveryWindowOfAMinute(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rpm := rapid.OneOf(rapid.IntRange(1, 70), rapid.SampledFrom([]int{599, 600, 601, 1999})).Draw(rt, "rpm")
		longestGap := rapid.IntRange(0, 120_000/rpm).Draw(rt, "longest gap in ms")
		seed := rapid.Uint64().Draw(rt, "seed")
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			server := &mwServer{latency: time.Second}
			c := llm.RateLimit(server, llm.NewLimiter(llm.LimiterConfig{Limits: llm.Limits{RPM: rpm}}))
			began := time.Now()
			n := 2*rpm + 2
			done := make(chan error, n)
			for range n {
				go func() {
					_, err := c.Complete(t.Context(), &llm.Call{})
					done <- err
				}()
				time.Sleep(time.Duration(random.IntN(longestGap+1)) * time.Millisecond)
			}
			for range n {
				require.NoError(t, <-done)
			}
			starts := server.starts()
			require.Equal(t, began, starts[0], "the first call starts at once")
			require.LessOrEqual(t, mwMostInAMinute(starts), rpm)
		})
	})
}

func TestRateLimitUsesWhatIsAllowed(t *testing.T) {
	for _, rpm := range []int{1, 7, 600, 6000} {
		synctest.Test(t, func(t *testing.T) {
			server := &mwServer{latency: 500 * time.Millisecond}
			c := llm.RateLimit(server, llm.NewLimiter(llm.LimiterConfig{Limits: llm.Limits{RPM: rpm}}))
			require.NoError(t, errors.Join(mwRun(t.Context(), c, 64, 3*rpm)...))
			starts := server.starts()
			require.Equal(t, rpm, mwMostInAMinute(starts))
			took := starts[len(starts)-1].Sub(starts[0])
			require.Less(t, took, 3*time.Minute+time.Second)
			require.Greater(t, took, 3*time.Minute-2*time.Minute/time.Duration(rpm))
		})
	}
}

func TestRateLimitPacesTokensByTheirEstimate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &mwServer{}
		c := llm.RateLimit(server, llm.NewLimiter(llm.LimiterConfig{Limits: llm.Limits{TPM: 6000}}))
		began := time.Now()
		for range 10 {
			_, err := c.Complete(t.Context(), mwCall(1000))
			require.NoError(t, err)
		}
		require.InDelta(t, 90, time.Since(began).Seconds(), 0.5)
	})
}

func TestRateLimitAdmitsARequestAboveTheBucketAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &mwServer{}
		c := llm.RateLimit(server, llm.NewLimiter(llm.LimiterConfig{Limits: llm.Limits{TPM: 1000}}))
		began := time.Now()
		_, err := c.Complete(t.Context(), mwCall(1_000_000_000))
		require.NoError(t, err)
		require.Equal(t, began, time.Now(), "an unused bucket admits it at once")
		_, err = c.Complete(t.Context(), mwCall(1))
		require.NoError(t, err)
		require.InDelta(t, 60, time.Since(began).Seconds(), 0.5, "the next one waits until the bucket is whole")
	})
}

func TestRateLimitSettlesTokensWithTheUsageReported(t *testing.T) {
	tests := map[string]struct {
		answer *llm.Answer
		err    error
		want   float64 // seconds until the next call
	}{
		"less than estimated":          {answer: mwAnswer(100), want: 6},
		"more than estimated":          {answer: mwAnswer(900), want: 54},
		"none reported":                {answer: &llm.Answer{}, want: 30},
		"failed":                       {err: mwFailed(batch.ErrServer, 500), want: 0},
		"failed with an unknown error": {err: errors.New("boom"), want: 0},
		"failed and used all the same": {
			err: &llm.Error{
				Kind: batch.ErrServer, Usage: &batch.TokenUsage{Prompt: 150, Completion: 50}, Err: errors.New("cut off"),
			},
			want: 12,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &mwServer{answer: func(int, *llm.Call) (*llm.Answer, error) { return test.answer, test.err }}
				c := llm.RateLimit(server, llm.NewLimiter(llm.LimiterConfig{Limits: llm.Limits{TPM: 1000}}))
				_, err := c.Complete(t.Context(), mwCall(500))
				require.Equal(t, test.err, err)
				next := mwCall(1)
				_, _ = c.Complete(t.Context(), next)
				require.InDelta(t, test.want, next.Waited.Seconds(), 0.3)
			})
		})
	}
}

func TestRateLimitLetsAWaitingCallStartEarlierAfterARefund(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &mwServer{latency: time.Second, answer: func(int, *llm.Call) (*llm.Answer, error) {
			return nil, mwFailed(batch.ErrServer, 500)
		}}
		c := llm.RateLimit(server, llm.NewLimiter(llm.LimiterConfig{Limits: llm.Limits{TPM: 1000}}))
		mwRun(t.Context(), llm.CompleterFunc(func(ctx context.Context, _ *llm.Call) (*llm.Answer, error) {
			return c.Complete(ctx, mwCall(1000))
		}), 2, 2)
		starts := server.starts()
		require.Equal(t, time.Second, starts[1].Sub(starts[0]))
	})
}

func TestRateLimitCountsFailedCallsAsRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &mwServer{answer: func(int, *llm.Call) (*llm.Answer, error) {
			return nil, mwFailed(batch.ErrServer, 500)
		}}
		mwRun(t.Context(), llm.RateLimit(server, llm.NewLimiter(llm.LimiterConfig{Limits: llm.Limits{RPM: 10}})), 4, 30)
		require.Equal(t, 10, mwMostInAMinute(server.starts()))
	})
}

func TestRateLimitServesCallsInTheOrderOfArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var served []string
		c := llm.RateLimit(llm.CompleterFunc(func(_ context.Context, call *llm.Call) (*llm.Answer, error) {
			served = append(served, call.Model)
			return &llm.Answer{}, nil
		}), llm.NewLimiter(llm.LimiterConfig{Limits: llm.Limits{RPM: 60}}))
		var arrived []string
		for i := range 20 {
			model := fmt.Sprint(i)
			arrived = append(arrived, model)
			go func() { _, _ = c.Complete(t.Context(), &llm.Call{Model: model}) }()
			synctest.Wait()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, arrived, served)
	})
}

func TestRateLimitCountsTheWaitIntoTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := llm.RateLimit(&mwServer{latency: time.Second}, llm.NewLimiter(llm.LimiterConfig{Limits: llm.Limits{RPM: 6}}))
		first, second := mwCall(0), mwCall(0)
		second.Waited = time.Hour
		_, err := c.Complete(t.Context(), first)
		require.NoError(t, err)
		_, err = c.Complete(t.Context(), second)
		require.NoError(t, err)
		require.Zero(t, first.Waited)
		require.InDelta(t, time.Hour+9*time.Second, second.Waited, float64(time.Millisecond))
	})
}

func TestRateLimitStopsWaiting(t *testing.T) {
	cause := errors.New("enough")
	tests := map[string]struct {
		text string
		is   error
	}{
		"when the context ends": {text: "waiting to start: enough", is: cause},
		"when the run drains": {
			text: "left for a later run: the run ends, and the call still waits for a rate limit",
			is:   batch.ErrCancelled,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &mwServer{latency: time.Minute}
				c := llm.RateLimit(server, llm.NewLimiter(llm.LimiterConfig{Limits: llm.Limits{RPM: 1}}))
				drain := make(chan struct{})
				ctx, cancel := context.WithCancelCause(batch.WithDrain(t.Context(), drain))
				defer cancel(nil)
				time.AfterFunc(time.Second, func() {
					if test.is == cause {
						cancel(cause)
					} else {
						close(drain)
					}
				})
				began := time.Now()
				errs := make(chan error)
				go func() {
					_, err := c.Complete(batch.WithDrain(t.Context(), drain), &llm.Call{})
					errs <- err
				}()
				synctest.Wait()
				for range 8 { // one at the head of the line, the others behind it
					go func() {
						_, err := c.Complete(ctx, &llm.Call{})
						errs <- err
					}()
				}
				for range 8 {
					err := <-errs
					require.Equal(t, batch.ErrCancelled, batch.KindOf(err))
					require.ErrorIs(t, err, test.is)
					require.EqualError(t, err, test.text)
				}
				require.Equal(t, time.Second, time.Since(began))
				require.NoError(t, <-errs, "a call in flight finishes")
				require.Len(t, server.starts(), 1)
			})
		})
	}
}

func TestNoPermitIsHeldWhileWaitingForARateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		permits := llm.NewPermits(2)
		server := &mwServer{latency: time.Second}
		limiter := llm.NewLimiter(llm.LimiterConfig{Limits: llm.Limits{RPM: 2}})
		c := llm.NewKeyPool([]llm.Key{{Completer: server, Limiter: limiter}}, permits, nil)
		go mwRun(t.Context(), c, 10, 10)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		require.Len(t, server.starts(), 1)
		require.Zero(t, permits.InFlight())
		time.Sleep(10 * time.Minute)
		require.Len(t, server.starts(), 10)
	})
}
