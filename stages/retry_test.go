package stages_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

// tried runs items through validate, execute and retry.
func tried(ctx context.Context, t *testing.T, m llm.Completer, p stages.RetryPolicy, items []*batch.Item) []*batch.Item {
	t.Helper()
	e := executor(m, 2)
	came := mustRun(ctx, t, items, stages.Validate(stages.Defaults{Tools: runTools()}), stages.Execute(e), stages.Retry(e, p))
	for _, item := range came {
		require.True(t, item.Settled(), "behind retry every item is settled")
	}
	return came
}

// failing is a model whose first n calls of each question fail so that another attempt may cure it.
func failing(n int) *model {
	return &model{answer: func(call int, question string, _ *llm.Call) (*llm.Answer, error) {
		if call <= n {
			return nil, unavailable()
		}
		return says(question), nil
	}}
}

func TestOnlyWhatAnotherAttemptMayCureIsRetried(t *testing.T) {
	kinds := map[batch.ErrorKind]int{ // attempts made
		batch.ErrRateLimit: 3, batch.ErrAPIConnection: 3, batch.ErrAPITimeout: 3, batch.ErrServer: 3,
		batch.ErrInvalidRequest: 1, batch.ErrAuthentication: 1, batch.ErrQuotaExceeded: 1, batch.ErrTokenLimit: 1,
		batch.ErrContentFilter: 1, batch.ErrTruncated: 1, batch.ErrToolIterationLimit: 1, batch.ErrStructuredOutput: 1,
		batch.ErrStage: 1, batch.ErrBudgetExceeded: 1, batch.ErrCancelled: 1,
	}
	for kind, attempts := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := &model{answer: func(int, string, *llm.Call) (*llm.Answer, error) { return nil, kind.Errorf("no") }}
				items := asking("a")
				tried(t.Context(), t, m, stages.RetryPolicy{MaxAttempts: 3}, items)
				require.Len(t, m.asked(""), attempts)
				require.Equal(t, attempts, items[0].Result.Attempts)
				require.Equal(t, kind, items[0].Result.ErrorType)
			})
		})
	}
}

func TestAnErrorsOwnWordOnRetryingCounts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := &model{answer: func(_ int, question string, _ *llm.Call) (*llm.Answer, error) {
			failure := unavailable()
			if failure.Retryable = question == "conflict"; failure.Retryable {
				failure.Kind = batch.ErrInvalidRequest
			}
			return nil, failure
		}}
		tried(t.Context(), t, m, stages.RetryPolicy{MaxAttempts: 2}, asking("conflict", "hopeless"))
		require.Len(t, m.asked("conflict"), 2)
		require.Len(t, m.asked("hopeless"), 1)
	})
}

func TestARetriedResultSaysSoAndTheCallersMetadataStaysAsItIs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		items := asking("a", "b")
		mine := map[string]any{"k": "v"}
		items[0].Request.Metadata = mine
		before := maps.Clone(mine)
		tried(t.Context(), t, failing(2), stages.RetryPolicy{MaxAttempts: 5}, items)
		for _, item := range items {
			r := item.Result
			require.True(t, r.Success)
			require.Equal(t, 3, r.Attempts)
			require.Equal(t, true, r.Metadata["_retried"])
			require.Empty(t, r.Error)
			require.Empty(t, r.ErrorType)
			require.NoError(t, r.Err)
			require.False(t, item.Retryable)
		}
		require.Equal(t, "v", items[0].Result.Metadata["k"])
		require.Equal(t, before, mine)
		require.Nil(t, items[1].Request.Metadata)
	})
}

func TestAResultOfTheFirstAttemptIsNotMarkedAsRetried(t *testing.T) {
	bubble(t, func(t *testing.T) {
		items := asking("a")
		tried(t.Context(), t, failing(0), stages.RetryPolicy{MaxAttempts: 5}, items)
		require.Equal(t, 1, items[0].Result.Attempts)
		require.NotContains(t, items[0].Result.Metadata, "_retried")
	})
}

func TestWithoutAPolicyNothingIsRetried(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m, items := failing(1), asking("a")
		tried(t.Context(), t, m, stages.RetryPolicy{}, items)
		require.Len(t, m.asked(""), 1)
		require.Equal(t, batch.ErrServer, items[0].Result.ErrorType)
		require.Zero(t, items[0].Result.WaitTime)
	})
}

func TestWhenAttemptsAreUsedUpTheLastErrorStands(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := &model{answer: func(n int, _ string, _ *llm.Call) (*llm.Answer, error) {
			failure := unavailable()
			failure.Err = fmt.Errorf("failure %d", n)
			failure.Usage = &batch.TokenUsage{Prompt: 5, Total: 5}
			return nil, failure
		}}
		items := asking("a")
		tried(t.Context(), t, m, stages.RetryPolicy{MaxAttempts: 3}, items)
		r := items[0].Result
		require.False(t, r.Success)
		require.Equal(t, "failure 3", r.Error)
		require.Equal(t, 3, r.Err.(*batch.RequestError).Attempts)
		require.False(t, items[0].Retryable)
		require.EqualValues(t, 15, r.TokensUsed.Total, "of all attempts")
	})
}

func TestARetryGoesOnWhereTheConversationBroke(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := &model{latency: time.Second, answer: func(n int, _ string, _ *llm.Call) (*llm.Answer, error) {
			switch {
			case n <= 4:
				return wants(toolCall(fmt.Sprint(n), "charge", "{}")), nil
			case n == 5:
				return nil, unavailable()
			}
			return says("charged"), nil
		}}
		charged := 0
		charge := batch.Tool{Name: "charge", Call: func(context.Context, json.RawMessage) (string, error) {
			charged++
			return fmt.Sprint(charged), nil
		}}
		items, e := asking("a"), executor(m, 1)
		mustRun(t.Context(), t, items,
			stages.Validate(stages.Defaults{Tools: []batch.Tool{charge}, MaxToolIterations: 4}),
			stages.Execute(e), stages.Retry(e, stages.RetryPolicy{MaxAttempts: 2}))
		r := items[0].Result
		require.True(t, r.Success)
		require.Equal(t, 4, charged, "no tool runs twice")
		require.Equal(t, 4, r.ToolCallsMade)
		require.Len(t, r.ToolExecutionHistory, 4)
		require.Equal(t, 2, r.Attempts)
		require.EqualValues(t, 4*22+11, r.TokensUsed.Total)
		require.Equal(t, 6*time.Second, r.ElapsedTime)
		asked := m.asked("")
		require.Len(t, asked, 6)
		require.Equal(t, asked[4].Messages, asked[5].Messages)
		require.Len(t, asked[5].Messages, 9)
	})
}

func TestToolTurnsAreCountedOverAllAttempts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := &model{answer: func(n int, _ string, _ *llm.Call) (*llm.Answer, error) {
			if n == 2 {
				return nil, unavailable()
			}
			return wants(toolCall("1", "ping", "{}")), nil
		}}
		items, e := asking("a"), executor(m, 1)
		mustRun(t.Context(), t, items, stages.Validate(stages.Defaults{Tools: runTools(), MaxToolIterations: 2}),
			stages.Execute(e), stages.Retry(e, stages.RetryPolicy{MaxAttempts: 2}))
		require.Equal(t, batch.ErrToolIterationLimit, items[0].Result.ErrorType)
		require.Equal(t, 2, items[0].Result.ToolCallsMade)
	})
}

func TestAnItemThatBacksOffHoldsNoWorker(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := &model{answer: func(n int, question string, _ *llm.Call) (*llm.Answer, error) {
			if n > 1 {
				return says(question), nil
			}
			failure := unavailable()
			if question == "slow" {
				failure.RetryAfter = time.Hour
			}
			return nil, failure
		}}
		items, e := asking("slow", "a", "b", "c"), executor(m, 1)
		came := mustRun(t.Context(), t, items, stages.Validate(stages.Defaults{}), stages.Execute(e),
			stages.Retry(e, stages.RetryPolicy{MaxAttempts: 2}))
		require.Equal(t, "slow", came[3].ID())
		for _, item := range came[:3] {
			require.LessOrEqual(t, item.Result.WaitTime, time.Second)
		}
		require.Greater(t, came[3].Result.WaitTime, time.Hour)
	})
}

func TestWhatWaitsIsTriedStillWhenTheInputHasEnded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		items := numbered(20)
		tried(t.Context(), t, failing(3), stages.RetryPolicy{MaxAttempts: 4}, items)
		for _, item := range items {
			require.True(t, item.Result.Success)
			require.Equal(t, 4, item.Result.Attempts)
		}
	})
}

func TestARunsEndLeavesWhatWaitsUnfinishedAtOnce(t *testing.T) {
	tests := map[string]string{"cancelled": "the run was cancelled: broken", "draining": "left for a later run"}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				drain := make(chan struct{})
				ctx, cancel := context.WithCancelCause(batch.WithDrain(t.Context(), drain))
				defer cancel(nil)
				time.AfterFunc(time.Minute, func() {
					if name == "draining" {
						close(drain)
					} else {
						cancel(errBroken)
					}
				})
				m := &model{answer: func(int, string, *llm.Call) (*llm.Answer, error) {
					failure := unavailable()
					failure.RetryAfter = time.Hour
					return nil, failure
				}}
				items, start := numbered(10), time.Now()
				tried(ctx, t, m, stages.RetryPolicy{MaxAttempts: 3}, items)
				require.Equal(t, time.Minute, time.Since(start))
				for _, item := range items {
					r := item.Result
					require.Equal(t, batch.ErrCancelled, r.ErrorType)
					require.Equal(t, text, r.Error)
					require.Equal(t, 1, r.Attempts)
					require.Equal(t, time.Minute, r.WaitTime)
				}
			})
		})
	}
}

func TestADrainingRunFinishesARetryInFlightAndBacksOffNoMore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		drain := make(chan struct{})
		m := &model{latency: time.Hour, answer: func(n int, question string, _ *llm.Call) (*llm.Answer, error) {
			if n == 1 || question == "bad" {
				return nil, unavailable()
			}
			return says(question), nil
		}}
		time.AfterFunc(90*time.Minute, func() { close(drain) })
		items := asking("good", "bad")
		tried(batch.WithDrain(t.Context(), drain), t, m, stages.RetryPolicy{MaxAttempts: 3}, items)
		require.True(t, items[0].Result.Success, "it was in flight")
		require.True(t, items[1].Result.Unfinished())
		require.Equal(t, 2, items[1].Result.Attempts)
	})
}

func TestACancellationCutsARetryInFlightShort(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := &model{latency: time.Hour, answer: failing(1).answer}
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(90*time.Minute, func() { cancel(errBroken) })
		items, start := asking("a", "b"), time.Now()
		tried(ctx, t, m, stages.RetryPolicy{MaxAttempts: 3}, items)
		require.Equal(t, 90*time.Minute, time.Since(start))
		for _, item := range items {
			require.Equal(t, batch.ErrCancelled, item.Result.ErrorType)
			require.Equal(t, 2, item.Result.Attempts)
		}
	})
}

func TestRetryPassesOnWhatIsNotItsBusiness(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := &model{}
		items := validated(t, asking("new", "done", "failed", "dropped"), stages.Defaults{})
		items[1].Settle(&batch.Result{Success: true})
		items[2].Fail(batch.ErrServer.Errorf("no"))
		items[3].Fail(batch.ErrServer.Errorf("no"))
		items[3].Retryable = true // a stage between the two had enough of it
		items[3].Drop("not wanted")
		mustRun(t.Context(), t, items, stages.Retry(executor(m, 1), stages.RetryPolicy{MaxAttempts: 3}))
		require.Empty(t, m.asked(""))
		require.Nil(t, items[0].Result)
	})
}

func TestWhatAStageCallsRetryableIsTriedThoughNoAttemptWasMade(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m, items := &model{}, asking("a")
		again := stages.Map(1, func(_ context.Context, item *batch.Item) error {
			item.Fail(batch.ErrStructuredOutput.Errorf("a cached answer is broken"))
			item.Retryable = true
			return nil
		})
		mustRun(t.Context(), t, items, stages.Validate(stages.Defaults{}), again,
			stages.Retry(executor(m, 1), stages.RetryPolicy{MaxAttempts: 3}))
		require.True(t, items[0].Result.Success)
		require.Len(t, m.asked(""), 1)
	})
}

func TestPermitsBoundTheAttemptsOfExecuteAndRetryTogether(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := &model{latency: time.Second, answer: failing(2).answer}
		items, e := numbered(30), executor(llm.NewPermits(3).Limit(m), 3)
		mustRun(t.Context(), t, items, stages.Validate(stages.Defaults{}), stages.Execute(e),
			stages.Retry(e, stages.RetryPolicy{MaxAttempts: 3}))
		require.Equal(t, 3, m.most)
		require.Len(t, m.asked(""), 90)
		for _, item := range items {
			require.True(t, item.Result.Success)
			require.Equal(t, 3*time.Second, item.Result.ElapsedTime)
		}
	})
}

func TestRetryAloneWorksOnAtMostMaxConcurrentItems(t *testing.T) {
	bubble(t, func(t *testing.T) {
		items := numbered(20)
		mustRun(t.Context(), t, items, stages.Validate(stages.Defaults{}), stages.Execute(executor(failing(1), 20)))
		m := &model{latency: time.Hour}
		mustRun(t.Context(), t, items, stages.Retry(executor(m, 4), stages.RetryPolicy{MaxAttempts: 2}))
		require.Equal(t, 4, m.most)
	})
}

func TestRetryKeepsNothingOfAnItemThatHasLeft(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := &model{answer: func(n int, question string, _ *llm.Call) (*llm.Answer, error) {
			if n > 1 {
				return says(question), nil
			}
			failure := unavailable()
			if question == "slow" {
				failure.RetryAfter = time.Hour
			}
			return nil, failure
		}}
		e := executor(m, 2)
		chain := []batch.Stage{stages.Validate(stages.Defaults{}), stages.Execute(e), stages.Retry(e, stages.RetryPolicy{MaxAttempts: 2})}
		in, out := make(chan *batch.Item), make(chan *batch.Item)
		go func() {
			defer close(in)
			for _, item := range asking("slow", "a", "b", "c") {
				in <- item
			}
		}()
		go func() {
			defer close(out)
			_ = stages.Connect(t.Context(), chain, 0, in, out, func(error) {})
		}()
		var left []weak.Pointer[batch.Item]
		for range 3 {
			left = append(left, weak.Make(<-out))
		}
		synctest.Wait()
		runtime.GC()
		for _, item := range left {
			require.Nil(t, item.Value())
		}
		require.Equal(t, "slow", (<-out).ID())
		_, open := <-out
		require.False(t, open)
	})
}
