package pipeline

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

func TestARunAfterADrainTakesNothing(t *testing.T) {
	p := newProcessor(t, &Config{Completer: fakeModel(0)})
	p.Drain()
	for range 100 { // the scheduler might start the source first
		response, err := p.Process(t.Context(), requests(10))
		require.NoError(t, err)
		require.Zero(t, response.TotalRequests)
	}
}

func TestAProcessorKeepsItsConfigurationWhateverTheCallerDoesToIt(t *testing.T) {
	nothing := func(context.Context, *batch.Item) error { return nil }
	cfg := &Config{
		Params: map[string]any{"seed": 1}, Tools: []batch.Tool{{Name: "mine", Description: "d"}},
		BeforeExecute: []batch.Stage{stages.Map(1, nothing)}, AfterExecute: []batch.Stage{stages.Map(1, nothing)},
		Completer: llm.CompleterFunc(func(_ context.Context, call *llm.Call) (*llm.Answer, error) {
			return &llm.Answer{Text: fmt.Sprint(call.Params["seed"], call.Tools[0].Name)}, nil
		}),
	}
	p := newProcessor(t, cfg)
	cfg.Params["seed"], cfg.Tools[0].Name, cfg.BeforeExecute[0], cfg.AfterExecute[0] = 2, "another", nil, nil
	response, err := p.Process(t.Context(), requests(1))
	require.NoError(t, err)
	require.Equal(t, "1mine", response.Results[0].Response)
}

func TestAPauseOfOneRunHoldsBackTheCallsOfAllRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const pause = time.Minute
		var mu sync.Mutex
		var begun []time.Duration
		start := time.Now()
		p := newProcessor(t, &Config{
			MaxConcurrent: 1,
			Completer: llm.CompleterFunc(func(context.Context, *llm.Call) (*llm.Answer, error) {
				mu.Lock()
				begun = append(begun, time.Since(start))
				first := len(begun) == 1
				mu.Unlock()
				time.Sleep(time.Second)
				if first {
					return nil, &llm.Error{Kind: batch.ErrRateLimit, Status: 429, RetryAfter: pause, Err: errors.New("429")}
				}
				return &llm.Answer{Text: "x"}, nil
			}),
		})
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				response, err := p.Process(t.Context(), requests(3))
				require.NoError(t, err)
				require.Equal(t, 3, response.SuccessfulRequests)
			})
		}
		wg.Wait()
		require.Len(t, begun, 1+5*3)
		require.GreaterOrEqual(t, begun[1], time.Second+pause)
	})
}
