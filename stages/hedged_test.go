package stages_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

// slowly makes each call of m after the next of some times; those after the last take none.
func slowly(m llm.Completer, times ...time.Duration) llm.Completer {
	var calls atomic.Int32
	return llm.CompleterFunc(func(ctx context.Context, call *llm.Call) (*llm.Answer, error) {
		n := int(calls.Add(1)) - 1
		if n < len(times) && times[n] > 0 {
			select {
			case <-time.After(times[n]):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		return m.Complete(ctx, call)
	})
}

func hedged(c llm.Completer) llm.Completer {
	return llm.Hedge(c, llm.HedgeConfig{After: 10 * time.Second})
}

func TestAHedgedResultSaysSoAndCountsBothCallsAsAttempts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := executeOne(t, executor(hedged(slowly(&model{}, time.Hour)), 1), stages.Defaults{})
		require.True(t, r.Success)
		require.Equal(t, 2, r.Attempts)
		require.Equal(t, map[string]any{"_hedged": true}, r.Metadata)
		require.EqualValues(t, 11, r.TokensUsed.Total)
		require.Equal(t, 10*time.Second, r.ElapsedTime)
		require.Zero(t, r.WaitTime)
	})
}

func TestAConversationIsHedgedOnceAndItsToolsRunOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := turns(wants(toolCall("1", "lookup", "{}")))
		c := slowly(m, time.Hour, 0, 15*time.Second)
		r := executeOne(t, executor(hedged(c), 1), stages.Defaults{Tools: runTools()})
		require.True(t, r.Success)
		require.Equal(t, 1, r.ToolCallsMade)
		require.Len(t, r.ToolExecutionHistory, 1)
		require.Equal(t, 2, r.Attempts)
		require.Equal(t, 25*time.Second, r.ElapsedTime)
		require.Len(t, m.asked(""), 2, "the slow second turn was not hedged")
	})
}

func TestAHedgeUsesUpNoAttemptOfTheRetryPolicy(t *testing.T) {
	for name, question := range map[string]*batch.Request{
		"of a request":                          {},
		"of a request with metadata":            {Metadata: map[string]any{"row": 1}},
		"of a request that comes from a result": {Metadata: map[string]any{"_hedged": true, "_retried": true}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := failing(4)
				items := asking("a")
				items[0].Request.Metadata = question.Metadata
				tried(t.Context(), t, hedged(slowly(m, 15*time.Second, 0)), stages.RetryPolicy{MaxAttempts: 3}, items)
				require.Len(t, m.asked(""), 4, "the hedge and three attempts")
				require.Equal(t, 4, items[0].Result.Attempts)
				require.Equal(t, true, items[0].Result.Metadata["_hedged"])
				require.Equal(t, true, items[0].Result.Metadata["_retried"])
			})
		})
	}
}

func TestAHedgedCallThatPanicsIsCountedAllTheSame(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := executeOne(t, executor(llm.CompleterFunc(func(_ context.Context, call *llm.Call) (*llm.Answer, error) {
			call.Hedges++
			panic("boom")
		}), 1), stages.Defaults{})
		require.False(t, r.Success)
		require.Equal(t, 2, r.Attempts)
		require.Equal(t, true, r.Metadata["_hedged"])
	})
}
