package pipeline

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

// restless is a model that fails each conversation's first call, then asks for a tool, and then answers.
type restless struct {
	model

	start time.Time
	begun []time.Duration // of the calls
}

func (m *restless) Complete(ctx context.Context, call *llm.Call) (*llm.Answer, error) {
	m.mu.Lock()
	m.begun = append(m.begun, time.Since(m.start))
	m.mu.Unlock()
	first := *call
	first.Messages = call.Messages[:1]
	answer, err := m.model.Complete(ctx, &first)
	if err == nil && len(call.Messages) == 1 {
		answer.Message.ToolCalls = []batch.ToolCall{{ID: "1", Name: "look"}}
	}
	return answer, err
}

func restlessRun(t *testing.T, cfg *Config, requestsOfARun, runs int) *restless {
	t.Helper()
	m := &restless{start: time.Now(), model: model{takes: time.Second, fail: func(_ string, try int) error {
		if try == 1 {
			return errDown
		}
		return nil
	}}}
	cfg.Completer, cfg.Retry = m, stages.RetryPolicy{MaxAttempts: 2, InitialBackoff: time.Second}
	cfg.Tools = []batch.Tool{{
		Name: "look", Call: func(context.Context, json.RawMessage) (string, error) { return "seen", nil },
	}}
	p := newProcessor(t, cfg)
	var wg sync.WaitGroup
	for run := range runs {
		wg.Go(func() {
			rs := requests(requestsOfARun)
			for i := range rs {
				rs[i].UserMessage += string(rune('a' + run))
			}
			response, err := p.Process(t.Context(), rs)
			if err != nil || response.SuccessfulRequests != requestsOfARun {
				t.Errorf("got %+v and %v", response.Summary, err)
			}
			for _, r := range response.Results {
				if r.Attempts != 2 || r.ToolCallsMade != 1 {
					t.Errorf("got %+v", r)
				}
			}
		})
	}
	wg.Wait()
	require.Len(t, m.begun, 3*requestsOfARun*runs)
	return m
}

func TestMaxConcurrentHoldsOverRunsToolTurnsAndRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := restlessRun(t, &Config{MaxConcurrent: 7}, 30, 3)
		require.Equal(t, int32(7), m.most.Load())
	})
}

func TestRetriesAndToolTurnsAreCallsToTheRateLimitToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := restlessRun(t, &Config{MaxConcurrent: 50, RateLimit: llm.Limits{RPM: 60}}, 20, 2)
		slices.Sort(m.begun)
		for i, at := range m.begun[1:] {
			require.GreaterOrEqual(t, at-m.begun[i], time.Second-time.Millisecond, "call %d", i+1)
		}
	})
}

func TestAStragglerEndsWithoutAnybodyAskingForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		p := newProcessor(t, &Config{Completer: llm.CompleterFunc(func(ctx context.Context, call *llm.Call) (*llm.Answer, error) {
			if call.Messages[0].Text() == requests(1)[0].UserMessage {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return fakeModel(time.Second).Complete(ctx, call)
		})})
		response, err := p.Process(t.Context(), requests(100))
		require.NoError(t, err)
		require.Equal(t, 99, response.SuccessfulRequests)
		require.Equal(t, batch.ErrAPITimeout, response.Results[0].ErrorType)
		require.Equal(t, 10*time.Minute, time.Since(began))
	})
}

func TestARequestTimeoutBoundsARequestOfARun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProcessor(t, &Config{
			Completer: &model{takes: 24 * time.Hour}, RequestTimeout: 25 * time.Minute, Retry: stages.RetryPolicy{MaxAttempts: 10},
		})
		begin := time.Now()
		response, err := p.Process(t.Context(), requests(1))
		require.NoError(t, err)
		require.Equal(t, 25*time.Minute, time.Since(begin))
		require.Equal(t, "no answer within the request's timeout of 25m0s (3 attempts)", response.Results[0].Error)
		require.ErrorIs(t, response.Results[0].Err, batch.ErrAPITimeout)
	})
}
