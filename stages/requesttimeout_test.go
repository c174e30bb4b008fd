package stages_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

// bounded runs one item, whose requests may take 5 minutes, through validate, execute and retry.
func bounded(t *testing.T, c llm.Completer, d stages.Defaults, p stages.RetryPolicy) *batch.Result {
	t.Helper()
	e := stages.NewExecutor(stages.ExecutorConfig{
		Completer: llm.Timeout(c), MaxConcurrent: 1, RequestTimeout: 5 * time.Minute, ToolTimeout: time.Hour,
	})
	items := asking("a")
	mustRun(t.Context(), t, items, stages.Validate(d), stages.Execute(e), stages.Retry(e, p))
	require.True(t, items[0].Settled())
	return items[0].Result
}

func TestACallIsCutWhenTheRequestsTimeoutIsOver(t *testing.T) {
	for name, timeout := range map[string]time.Duration{"without a timeout of its own": 0, "with a longer one": time.Hour} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := &model{latency: 24 * time.Hour}
				start := time.Now()
				r := bounded(t, m, stages.Defaults{Timeout: timeout}, stages.RetryPolicy{MaxAttempts: 3})
				require.Equal(t, 5*time.Minute, time.Since(start))
				require.Equal(t, batch.ErrAPITimeout, r.ErrorType)
				require.Equal(t, "no answer within the request's timeout of 5m0s (1 attempt)", r.Error)
				require.Equal(t, 1, r.Attempts, "it is not retried")
				require.Equal(t, 5*time.Minute, r.ElapsedTime)
			})
		})
	}
}

func TestACallsOwnTimeoutIsNotTakenForTheRequests(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := &model{latency: time.Hour}
		r := bounded(t, m, stages.Defaults{Timeout: time.Minute}, stages.RetryPolicy{MaxAttempts: 2})
		require.Equal(t, "no answer within 1m0s", r.Error)
		require.Equal(t, 2, r.Attempts)
	})
}

func TestTheLastAttemptGetsWhatIsLeftOfTheRequestsTimeout(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := &model{latency: time.Hour}
		start := time.Now()
		r := bounded(t, m, stages.Defaults{Timeout: 2 * time.Minute},
			stages.RetryPolicy{MaxAttempts: 9, InitialBackoff: time.Second, MaxBackoff: time.Second})
		require.Equal(t, 5*time.Minute, time.Since(start), "attempts and backoffs together")
		require.Equal(t, "no answer within the request's timeout of 5m0s (3 attempts)", r.Error)
		calls := m.asked("")
		require.Len(t, calls, 3)
		require.Equal(t, 2*time.Minute, calls[1].Timeout)
		require.Equal(t, 5*time.Minute-calls[2].at.Sub(start), calls[2].Timeout)
	})
}

func TestARequestThatCannotStartAgainInTimeFailsAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := &model{latency: time.Minute, answer: func(int, string, *llm.Call) (*llm.Answer, error) {
			failure := unavailable()
			failure.RetryAfter = 4 * time.Minute
			return nil, failure
		}}
		start := time.Now()
		r := bounded(t, m, stages.Defaults{}, stages.RetryPolicy{MaxAttempts: 3})
		require.Equal(t, time.Minute, time.Since(start))
		require.Equal(t, batch.ErrAPITimeout, r.ErrorType)
		require.Equal(t, "no answer within the request's timeout of 5m0s (1 attempt): 503 Service Unavailable", r.Error)
		require.ErrorIs(t, r.Err, batch.ErrServer)
	})
}

func TestWaitsForLimitsDoNotCountAgainstTheRequestsTimeout(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := &model{latency: time.Minute}
		waits := llm.CompleterFunc(func(ctx context.Context, c *llm.Call) (*llm.Answer, error) {
			time.Sleep(time.Hour)
			c.Waited += time.Hour
			return llm.Timeout(m).Complete(ctx, c)
		})
		e := stages.NewExecutor(stages.ExecutorConfig{Completer: waits, MaxConcurrent: 1, RequestTimeout: 5 * time.Minute})
		r := executeOne(t, e, stages.Defaults{Tools: runTools()})
		require.True(t, r.Success)
		require.Equal(t, time.Minute, r.ElapsedTime)
		require.Equal(t, 5*time.Minute, m.asked("")[0].Timeout)
	})
}

func TestToolsAndTurnsCountAgainstTheRequestsTimeout(t *testing.T) {
	sleepy := batch.Tool{Name: "sleep", Call: func(ctx context.Context, _ json.RawMessage) (string, error) {
		<-ctx.Done()
		return "", ctx.Err()
	}}
	bubble(t, func(t *testing.T) {
		m := &model{latency: time.Minute, answer: func(int, string, *llm.Call) (*llm.Answer, error) {
			return wants(toolCall("1", "sleep", "{}")), nil
		}}
		start := time.Now()
		r := bounded(t, m, stages.Defaults{Tools: []batch.Tool{sleepy}}, stages.RetryPolicy{MaxAttempts: 3})
		require.Equal(t, 5*time.Minute, time.Since(start))
		require.Equal(t, "no answer within the request's timeout of 5m0s (1 attempt)", r.Error)
		require.Len(t, m.asked(""), 1, "the model is not asked when there is no time left")
		require.Equal(t, "error: cancelled", r.ToolExecutionHistory[0].Result)
		require.EqualValues(t, 22, r.TokensUsed.Total, "what was paid for is counted")
	})
}

func TestNoToolRunsWhenTheRequestsTimeoutIsOver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		late := llm.CompleterFunc(func(context.Context, *llm.Call) (*llm.Answer, error) {
			time.Sleep(time.Hour) // whatever its timeout
			return wants(toolCall("1", "ping", "{}")), nil
		})
		r := bounded(t, late, stages.Defaults{Tools: runTools()}, stages.RetryPolicy{})
		require.Equal(t, batch.ErrAPITimeout, r.ErrorType)
		require.Empty(t, r.ToolExecutionHistory)
		require.EqualValues(t, 22, r.TokensUsed.Total)
	})
}

func TestAnAnswerThatComesAfterTheRequestsTimeoutIsKept(t *testing.T) {
	bubble(t, func(t *testing.T) {
		late := llm.CompleterFunc(func(context.Context, *llm.Call) (*llm.Answer, error) {
			time.Sleep(time.Hour)
			return says("paid for"), nil
		})
		require.True(t, bounded(t, late, stages.Defaults{}, stages.RetryPolicy{}).Success)
	})
}
