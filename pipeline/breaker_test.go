package pipeline

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

var (
	// errGone says that no other call can succeed either.
	errGone = &llm.Error{Kind: batch.ErrAPIConnection, Fatal: true, Err: errors.New("no connection")}
	// errKey is a key's refusal. Where it was the last key, the next call is told that none is left.
	errKey = &llm.Error{Kind: batch.ErrAuthentication, Status: 401, Err: errors.New("401 Unauthorized")}
)

func always(err error) func(string, int) error { return func(string, int) error { return err } }

func TestARunInWhichEverythingFailsStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProcessor(t, &Config{Completer: &model{takes: time.Second, fail: always(errDown)}})
		response, err := p.Process(t.Context(), requests(10_000))
		require.EqualError(t, err, "stopped after 100 failures in a row without a success: ServerError: 503 down")
		require.ErrorIs(t, err, batch.ErrServer)
		require.Equal(t, 99, response.FailedRequests-response.UnfinishedRequests)
		require.Less(t, response.TotalRequests, 500, "intake stops")
		require.Equal(t, response.TotalRequests, response.FailedRequests)
		require.Len(t, response.Results, response.TotalRequests)
	})
}

func TestAWrongKeyStopsTheRunAndUsesUpNoRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &model{takes: time.Second, fail: always(errKey)}
		p := newProcessor(t, &Config{Completer: m, RetryFailed: true})
		written := 0
		summary, err := p.Run(t.Context(), source.Slice(requests(10_000)), funcSink(func(_ context.Context, rs []*batch.Result) error {
			written += len(rs)
			return nil
		}))
		require.ErrorContains(t, err, "stopped: no usable API key is left: ")
		require.ErrorIs(t, err, batch.ErrAuthentication)
		require.Zero(t, written)
		require.Equal(t, summary.TotalRequests, summary.UnfinishedRequests)
		require.LessOrEqual(t, len(m.tries), 5, "only what was in flight has called")
	})
}

func TestWhatIsInFlightWhenARunStopsIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := llm.CompleterFunc(func(ctx context.Context, c *llm.Call) (*llm.Answer, error) {
			if c.Messages[0].Text() == "message 0" {
				return (&model{takes: time.Second}).fails(ctx, errGone)
			}
			return (&model{takes: 5 * time.Minute}).Complete(ctx, c)
		})
		p := newProcessor(t, &Config{Completer: slow, MaxConcurrent: 4})
		begin := time.Now()
		response, err := p.Process(t.Context(), requests(1000))
		require.ErrorIs(t, err, batch.ErrAPIConnection)
		// The worker that met the failure may have begun with another request before it was heard of.
		require.Contains(t, []int{3, 4}, response.SuccessfulRequests)
		require.Equal(t, response.TotalRequests-response.SuccessfulRequests, response.UnfinishedRequests)
		require.LessOrEqual(t, time.Since(begin), 5*time.Minute+time.Second)
		require.Equal(t, "left for a later run: no connection", response.Results[0].Error)
		require.Equal(t, 1, response.Results[0].Attempts)
		require.Equal(t, "left for a later run", response.Results[response.TotalRequests-1].Error)
	})
}

// fails is a call that takes its time and fails.
func (m *model) fails(ctx context.Context, err error) (*llm.Answer, error) {
	m.fail = always(err)
	return m.Complete(ctx, &llm.Call{Messages: []batch.Message{batch.UserMessage("")}})
}

func TestWhatWaitsWhenARunStopsIsLeftForALaterRun(t *testing.T) {
	limited := &llm.Error{Kind: batch.ErrRateLimit, Status: 429, Retryable: true, RetryAfter: time.Hour, Err: errors.New("429")}
	later := &llm.Error{Kind: batch.ErrServer, Status: 503, Retryable: true, RetryAfter: time.Hour, Err: errors.New("503")}
	for name, wait := range map[string]error{"for a limit": limited, "for a retry": later} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &model{takes: time.Second, fail: func(prompt string, _ int) error {
					if prompt == "message 0" {
						time.Sleep(time.Minute)
						return errGone
					}
					return wait
				}}
				p := newProcessor(t, &Config{Completer: m, MaxConcurrent: 4, RetryFailed: true, MaxRateLimitWait: -1})
				begin := time.Now()
				response, err := p.Process(t.Context(), requests(50))
				require.EqualError(t, err, "stopped: no connection")
				require.Equal(t, time.Minute+time.Second, time.Since(begin))
				require.Equal(t, response.TotalRequests, response.UnfinishedRequests)
			})
		})
	}
}

func TestAFailureCountsTowardsTheStopOnlyAfterItsLastAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &model{fail: func(_ string, try int) error {
			if try < 3 {
				return errDown
			}
			return nil
		}}
		p := newProcessor(t, &Config{Completer: m, AbortAfter: 1, Retry: stages.RetryPolicy{MaxAttempts: 3}})
		response, err := p.Process(t.Context(), requests(300))
		require.NoError(t, err)
		require.Equal(t, 300, response.SuccessfulRequests)
	})
}

func TestSomeSuccessKeepsARunGoing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &model{takes: time.Second, fail: func(prompt string, _ int) error {
			if strings.HasSuffix(prompt, "0") {
				return nil
			}
			return errBad
		}}
		response, err := newProcessor(t, &Config{Completer: m, AbortAfter: 20}).Process(t.Context(), requests(500))
		require.NoError(t, err)
		require.Equal(t, 450, response.FailedRequests)
	})
}

func TestBadRecordsDoNotStopARun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rs := requests(1000)
		for i := range rs[:999] {
			rs[i].UserMessage = ""
		}
		response, err := newProcessor(t, &Config{Completer: &model{}, AbortAfter: 1}).Process(t.Context(), rs)
		require.NoError(t, err)
		require.Equal(t, 1, response.SuccessfulRequests)
	})
}

func TestARunCanBeToldToGoOnWhateverFails(t *testing.T) {
	for _, failure := range []error{errDown, errGone} {
		synctest.Test(t, func(t *testing.T) {
			p := newProcessor(t, &Config{Completer: &model{fail: always(failure)}, AbortAfter: -1})
			response, err := p.Process(t.Context(), requests(500))
			require.NoError(t, err)
			require.Equal(t, 500, response.FailedRequests)
			require.Zero(t, response.UnfinishedRequests)
		})
	}
}

func TestUnderFailFastTheFirstFailureIsTheRunsErrorAlsoWhereNoCallCanSucceed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProcessor(t, &Config{Completer: &model{fail: always(errGone)}, ErrorStrategy: batch.FailFast, AbortAfter: 1})
		_, err := p.Process(t.Context(), requests(100))
		failure, ok := errors.AsType[*batch.RequestError](err)
		require.True(t, ok)
		require.EqualError(t, err, failure.Error())
		require.ErrorIs(t, err, batch.ErrAPIConnection)
	})
}

func TestSkipSkipsWhatFailedBeforeTheRunStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProcessor(t, &Config{Completer: &model{fail: always(errBad)}, ErrorStrategy: batch.Skip, AbortAfter: 10})
		response, err := p.Process(t.Context(), requests(5000))
		require.ErrorIs(t, err, batch.ErrInvalidRequest)
		require.Empty(t, response.Results)
		require.Equal(t, 9, response.FailedRequests-response.UnfinishedRequests)
		require.Equal(t, response.TotalRequests, response.FailedRequests)
	})
}

func TestARunThatStopsWhileItDrainsSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProcessor(t, &Config{Completer: &model{takes: time.Minute, fail: always(errGone)}})
		time.AfterFunc(time.Second, p.Drain)
		response, err := p.Process(t.Context(), requests(100))
		require.EqualError(t, err, "stopped: no connection")
		require.Equal(t, response.TotalRequests, response.UnfinishedRequests)
	})
}

func TestARunThatStopsCanBeCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &model{takes: time.Hour, fail: always(errGone)}
		quick := llm.CompleterFunc(func(ctx context.Context, c *llm.Call) (*llm.Answer, error) {
			if c.Messages[0].Text() == "message 0" {
				return (&model{takes: time.Second}).fails(ctx, errGone)
			}
			return m.Complete(ctx, c)
		})
		ctx, cancel := context.WithCancelCause(t.Context())
		enough := errors.New("enough")
		time.AfterFunc(time.Minute, func() { cancel(enough) })
		begin := time.Now()
		response, err := newProcessor(t, &Config{Completer: quick}).Process(ctx, requests(100))
		require.ErrorIs(t, err, enough)
		require.ErrorIs(t, err, batch.ErrAPIConnection)
		require.Equal(t, time.Minute, time.Since(begin))
		require.Equal(t, response.TotalRequests, response.UnfinishedRequests)
	})
}

func TestARunThatStopsLeavesOtherRunsOfItsProcessorAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &model{takes: time.Second, fail: func(prompt string, _ int) error {
			if strings.HasPrefix(prompt, "bad") {
				return errGone
			}
			return nil
		}}
		p := newProcessor(t, &Config{Completer: m})
		var wg sync.WaitGroup
		wg.Go(func() {
			response, err := p.Process(t.Context(), requests(100))
			if err != nil || response.SuccessfulRequests != 100 {
				t.Errorf("%v, %+v", err, response.Summary)
			}
		})
		bad := requests(100)
		for i := range bad {
			bad[i].UserMessage = "bad"
		}
		_, err := p.Process(t.Context(), bad)
		require.ErrorIs(t, err, batch.ErrAPIConnection)
		wg.Wait()
		response, err := p.Process(t.Context(), requests(10))
		require.NoError(t, err)
		require.Equal(t, 10, response.SuccessfulRequests)
	})
}
