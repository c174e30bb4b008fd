package pipeline_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/pipeline"
	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

// taking makes each call take the next of some times; those after the last take a second.
func taking(times ...time.Duration) llm.Completer {
	var mu sync.Mutex
	return llm.CompleterFunc(func(ctx context.Context, _ *llm.Call) (*llm.Answer, error) {
		takes := time.Second
		mu.Lock()
		if len(times) > 0 {
			takes, times = times[0], times[1:]
		}
		mu.Unlock()
		select {
		case <-time.After(takes):
			return &llm.Answer{Text: "ok", FinishReason: "stop"}, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
}

func TestOneCallThatHangsDoesNotHoldUpTheRun(t *testing.T) {
	server, err := llmtest.Start(llmtest.Config{Respond: func(r *llmtest.Request) *llmtest.Answer {
		if r.Attempt == 1 && r.Prompt() == "hang" {
			return &llmtest.Answer{Fault: llmtest.Hang}
		}
		return nil
	}})
	require.NoError(t, err)
	defer server.Close()
	p, err := pipeline.NewBatchProcessor(&pipeline.Config{
		Model: "openai:m", BaseURL: server.BaseURL(), APIKey: "key", MaxConcurrent: 4,
		Hedge: llm.HedgeConfig{After: time.Second}, // longer than any other call takes
	})
	require.NoError(t, err)
	defer p.Close()
	requests := make([]batch.Request, 100)
	for i := range requests {
		requests[i].UserMessage = fmt.Sprint(i)
	}
	requests[10].UserMessage = "hang"
	response, err := p.Process(t.Context(), requests)
	require.NoError(t, err)
	require.Equal(t, 100, response.SuccessfulRequests)
	r := response.Results[10]
	require.Equal(t, "hang", r.Response)
	require.Equal(t, 2, r.Attempts)
	require.Equal(t, true, r.Metadata["_hedged"])
	require.Zero(t, p.InFlight())
}

func TestADrainingRunFinishesBothCallsOfAHedge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := pipeline.NewBatchProcessor(&pipeline.Config{
			Completer: taking(time.Hour, 30*time.Second), Hedge: llm.HedgeConfig{After: 10 * time.Second},
		})
		require.NoError(t, err)
		defer p.Close()
		time.AfterFunc(20*time.Second, p.Drain)
		began := time.Now()
		response, err := p.Process(t.Context(), []batch.Request{{UserMessage: "a"}})
		require.NoError(t, err)
		require.Equal(t, 1, response.SuccessfulRequests)
		require.Equal(t, 40*time.Second, time.Since(began))
	})
}

func TestACancelledRunEndsBothCallsOfAHedge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := pipeline.NewBatchProcessor(&pipeline.Config{
			Completer: taking(time.Hour, time.Hour), Hedge: llm.HedgeConfig{After: 10 * time.Second}, Deadline: time.Minute,
		})
		require.NoError(t, err)
		defer p.Close()
		began := time.Now()
		response, err := p.Process(t.Context(), []batch.Request{{UserMessage: "a"}})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Minute, time.Since(began))
		require.Equal(t, batch.ErrCancelled, response.Results[0].ErrorType)
		require.Equal(t, 2, response.Results[0].Attempts)
		require.Zero(t, p.InFlight())
	})
}

func TestAWrongHedgeIsAnErrorOfTheConfiguration(t *testing.T) {
	_, err := pipeline.NewBatchProcessor(&pipeline.Config{Hedge: llm.HedgeConfig{Percentile: 100}})
	var wrong *pipeline.ConfigError
	require.ErrorAs(t, err, &wrong)
	require.Equal(t, "Hedge", wrong.Field)
}

func TestWaitingForLimitsIsNotHedged(t *testing.T) {
	limited := &llm.Error{Kind: batch.ErrRateLimit, Status: 429, Retryable: true, RetryAfter: time.Minute}
	for name, config := range map[string]pipeline.Config{
		"of the run's":    {RateLimit: llm.Limits{RPM: 6}},
		"of permits":      {MaxConcurrent: 1},
		"of the provider": {},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var calls atomic.Int32
				quick := taking()
				config.Completer = llm.CompleterFunc(func(ctx context.Context, call *llm.Call) (*llm.Answer, error) {
					if n := calls.Add(1); name == "of the provider" && n <= 2 {
						return nil, limited
					}
					return quick.Complete(ctx, call)
				})
				config.Hedge = llm.HedgeConfig{After: 5 * time.Second}
				p, err := pipeline.NewBatchProcessor(&config)
				require.NoError(t, err)
				defer p.Close()
				requests := make([]batch.Request, 20)
				for i := range requests {
					requests[i].UserMessage = "a"
				}
				response, err := p.Process(t.Context(), requests)
				require.NoError(t, err)
				require.Equal(t, 20, response.SuccessfulRequests)
				for _, r := range response.Results {
					require.Equal(t, 1, r.Attempts)
					require.Nil(t, r.Metadata)
				}
				if name == "of the provider" {
					calls.Add(-2)
				}
				require.EqualValues(t, 20, calls.Load())
			})
		})
	}
}
