package stages_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

// executeOne validates and executes one item that asks "a", and returns its result.
func executeOne(t *testing.T, e *stages.Executor, d stages.Defaults) *batch.Result {
	t.Helper()
	items := asking("a")
	mustRun(t.Context(), t, items, stages.Validate(d), stages.Execute(e))
	return items[0].Result
}

func TestExecuteAsksTheModelAndFillsInTheResult(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := &model{latency: 2 * time.Second}
		items := asking("a")
		items[0].Index = 4
		items[0].Request.Metadata = map[string]any{"k": "v"}
		mustRun(t.Context(), t, items, stages.Validate(stages.Defaults{
			Model: "openai:m", SystemPrompt: "be brief", Timeout: time.Minute, Params: map[string]any{"seed": 1}, Fingerprints: true,
		}), stages.Execute(executor(m, 1)))

		asked := m.asked("")
		require.Len(t, asked, 1)
		require.Equal(t, llm.Call{
			Model: "openai:m", Messages: []batch.Message{batch.SystemMessage("be brief"), batch.UserMessage("a")},
			Params: map[string]any{"seed": 1}, Timeout: time.Minute,
		}, asked[0].Call)
		require.NotEmpty(t, items[0].Fingerprint)
		require.Equal(t, &batch.Result{
			ID: "a", Index: 4, Success: true, Response: "a", Model: "m-2026", FinishReason: "stop", Attempts: 1,
			TokensUsed: &batch.TokenUsage{Prompt: 10, Completion: 1, Total: 11}, ElapsedTime: 2 * time.Second,
			Metadata: map[string]any{"k": "v"}, Fingerprint: items[0].Fingerprint, Request: items[0].Request,
		}, items[0].Result)
		require.True(t, items[0].Settled())
	})
}

func TestExecutePassesSettledItemsUntouched(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := &model{}
		items := asking("done", "dropped", "failed")
		items[0].Settle(&batch.Result{Success: true, Response: "known"})
		items[1].Drop("not wanted")
		items[2].Fail(batch.ErrInvalidRequest.Errorf("wrong"))
		mustRun(t.Context(), t, items, stages.Execute(executor(m, 2)))
		require.Empty(t, m.asked(""))
		require.Equal(t, "known", items[0].Result.Response)
		require.Zero(t, items[0].Result.Attempts)
	})
}

func TestExecuteRefusesWhatWasNotValidated(t *testing.T) {
	bubble(t, func(t *testing.T) {
		items := asking("a")
		mustRun(t.Context(), t, items, stages.Execute(executor(&model{}, 1)))
		require.Equal(t, batch.ErrInvalidRequest, items[0].Result.ErrorType)
		require.Equal(t, "line 1: the request was not validated: stages.Validate goes before stages.Execute", items[0].Result.Error)
		require.Zero(t, items[0].Result.Attempts)
	})
}

func TestExecuteWorksOnAtMostMaxConcurrentItemsAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := &model{latency: time.Second}
		start := time.Now()
		mustRun(t.Context(), t, numbered(12), stages.Validate(stages.Defaults{}), stages.Execute(executor(m, 4)))
		require.Equal(t, 4, m.most)
		require.Equal(t, 3*time.Second, time.Since(start))
	})
}

func TestAFastItemOvertakesASlowOne(t *testing.T) {
	bubble(t, func(t *testing.T) {
		slowly := llm.CompleterFunc(func(_ context.Context, c *llm.Call) (*llm.Answer, error) {
			if question(c) == "slow" {
				time.Sleep(time.Hour)
			}
			return says(question(c)), nil
		})
		came := mustRun(t.Context(), t, asking("slow", "a", "b"), stages.Validate(stages.Defaults{}), stages.Execute(executor(slowly, 2)))
		require.Equal(t, []string{"a", "b", "slow"}, ids(came))
	})
}

func TestAnAnswerCutAtItsTokenLimitFailsUnlessAllowed(t *testing.T) {
	cut := &model{answer: func(int, string, *llm.Call) (*llm.Answer, error) {
		answer := says("once upon a")
		answer.FinishReason = "length"
		return answer, nil
	}}
	for _, allowed := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			config := stages.ExecutorConfig{Completer: cut, MaxConcurrent: 1, AllowTruncated: allowed}
			r := executeOne(t, stages.NewExecutor(config), stages.Defaults{})
			require.Equal(t, allowed, r.Success)
			require.Equal(t, "once upon a", r.Response, "the text is paid for")
			require.Equal(t, "length", r.FinishReason)
			require.EqualValues(t, 11, r.TokensUsed.Total)
			if !allowed {
				require.Equal(t, batch.ErrTruncated, r.ErrorType)
				require.Equal(t, "the answer was cut at its token limit (finish_reason length)", r.Error)
			}
		})
	}
}

func TestARefusalIsAFailure(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := &model{answer: func(int, string, *llm.Call) (*llm.Answer, error) {
			answer := says("")
			answer.Refusal = "I can't help with that"
			return answer, nil
		}}
		r := executeOne(t, executor(m, 1), stages.Defaults{})
		require.Equal(t, batch.ErrContentFilter, r.ErrorType)
		require.Equal(t, "the model refused: I can't help with that", r.Error)
		require.EqualValues(t, 11, r.TokensUsed.Total)
	})
}

func TestACompleterThatMisbehavesFailsTheItemForGood(t *testing.T) {
	tests := map[string]struct {
		answer func(int, string, *llm.Call) (*llm.Answer, error)
		text   string
	}{
		"by a panic": {
			func(int, string, *llm.Call) (*llm.Answer, error) { panic("oh") },
			"the model call panicked: oh",
		},
		"by an error that panics": {
			func(int, string, *llm.Call) (*llm.Answer, error) { return nil, panickyError{} },
			"the model call panicked: oh",
		},
		"by returning nothing": {
			func(int, string, *llm.Call) (*llm.Answer, error) { return nil, nil },
			"the completer returned neither an answer nor an error",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := &model{answer: test.answer}
				items := numbered(3)
				mustRun(t.Context(), t, items, stages.Validate(stages.Defaults{}), stages.Execute(executor(m, 1)),
					stages.Retry(executor(m, 1), stages.RetryPolicy{MaxAttempts: 3}))
				require.Len(t, m.asked(""), 3, "one call each, and the worker lives on")
				for _, item := range items {
					require.Equal(t, batch.ErrServer, item.Result.ErrorType)
					require.Equal(t, test.text, item.Result.Error)
					require.Equal(t, 1, item.Result.Attempts)
				}
			})
		})
	}
}

type panickyError struct{}

func (panickyError) Error() string { panic("oh") }

func TestTheUsageOfAFailedCallCounts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := &model{answer: func(int, string, *llm.Call) (*llm.Answer, error) {
			failure := unavailable()
			failure.Usage = &batch.TokenUsage{Prompt: 5, Total: 5}
			failure.CostUSD = new(0.25)
			failure.RetryAfter = time.Minute
			failure.Raw = &batch.RawAnswer{Status: 503, Body: []byte("overloaded")}
			return nil, fmt.Errorf("calling: %w", failure)
		}}
		items := asking("a")
		mustRun(t.Context(), t, items, stages.Validate(stages.Defaults{}), stages.Execute(executor(m, 1)))
		r := items[0].Result
		require.Equal(t, &batch.TokenUsage{Prompt: 5, Total: 5}, r.TokensUsed)
		require.Equal(t, new(0.25), r.CostUSD)
		require.Equal(t, batch.ErrServer, r.ErrorType)
		require.Equal(t, "calling: 503 Service Unavailable", r.Error)
		require.Equal(t, 503, r.Raw.Status)
		require.True(t, items[0].Retryable)
		require.Equal(t, time.Minute, items[0].RetryAfter)
		require.False(t, items[0].Settled(), "retry decides")
		var failure *batch.RequestError
		require.ErrorAs(t, r.Err, &failure)
		require.Equal(t, batch.RequestError{ID: "a", Attempts: 1, Err: failure.Err}, *failure)
	})
}

func TestCostRawAnswerAndWaitTimeComeFromTheCall(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var kept []bool
		c := llm.CompleterFunc(func(_ context.Context, c *llm.Call) (*llm.Answer, error) {
			kept = append(kept, c.KeepRaw)
			time.Sleep(3 * time.Second)
			c.Waited += 2 * time.Second
			cost := 0.25
			answer := says("fine")
			if len(kept) < 3 {
				answer = wants(toolCall("1", "ping", ""))
			}
			answer.CostUSD, answer.Raw = &cost, &batch.RawAnswer{Status: 200, RequestID: fmt.Sprint(len(kept))}
			return answer, nil
		})
		e := stages.NewExecutor(stages.ExecutorConfig{Completer: c, MaxConcurrent: 1, KeepRaw: true})
		r := executeOne(t, e, stages.Defaults{Tools: runTools()})
		require.True(t, r.Success)
		require.Equal(t, []bool{true, true, true}, kept)
		require.InDelta(t, 0.75, *r.CostUSD, 1e-9)
		require.Equal(t, "3", r.Raw.RequestID, "the last one")
		require.Equal(t, 6*time.Second, r.WaitTime)
		require.Equal(t, 3*time.Second, r.ElapsedTime, "waiting is not work")
	})
}

func TestWaitingForAPermitIsWaitTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := llm.NewPermits(1).Limit(&model{latency: time.Second})
		items := numbered(3)
		mustRun(t.Context(), t, items, stages.Validate(stages.Defaults{}), stages.Execute(executor(c, 3)))
		var waited time.Duration
		for _, item := range items {
			require.Equal(t, time.Second, item.Result.ElapsedTime)
			waited += item.Result.WaitTime
		}
		require.Equal(t, 3*time.Second, waited, "0, 1 and 2 seconds")
	})
}

func TestACancelledRunsCallsAreUnfinishedWithItsCause(t *testing.T) {
	tests := map[string]func() llm.Completer{
		"a call that returns its context's error": func() llm.Completer { return &model{latency: time.Hour} },
		"a call that returns the cause": func() llm.Completer {
			return llm.CompleterFunc(func(ctx context.Context, _ *llm.Call) (*llm.Answer, error) {
				<-ctx.Done()
				return nil, fmt.Errorf("no answer: %w", context.Cause(ctx))
			})
		},
		"a call that waits for a permit": func() llm.Completer { return llm.NewPermits(1).Limit(&model{latency: time.Hour}) },
	}
	for name, completer := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(time.Minute, func() { cancel(errBroken) })
				items := numbered(5)
				mustRun(ctx, t, items, stages.Validate(stages.Defaults{}), stages.Execute(executor(completer(), 2)))
				tried := 0
				for _, item := range items {
					r := item.Result
					require.True(t, r.Unfinished())
					require.Equal(t, batch.ErrCancelled, r.ErrorType)
					require.Equal(t, "the run was cancelled: broken", r.Error)
					require.ErrorIs(t, r.Err, errBroken)
					require.False(t, item.Retryable)
					tried += r.Attempts
				}
				require.Equal(t, 2, tried, "what had not begun has no attempt")
			})
		})
	}
}

func TestARunsDeadlineIsNotTakenForACallsTimeout(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		items := asking("a")
		mustRun(ctx, t, items, stages.Validate(stages.Defaults{Timeout: time.Hour}),
			stages.Execute(executor(llm.Timeout(&model{latency: 24 * time.Hour}), 1)))
		require.Equal(t, batch.ErrCancelled, items[0].Result.ErrorType)
		require.ErrorIs(t, items[0].Result.Err, context.DeadlineExceeded)
	})
}

func TestACallsTimeoutFailsTheItemAndCanBeRetried(t *testing.T) {
	bubble(t, func(t *testing.T) {
		items := asking("a")
		mustRun(t.Context(), t, items, stages.Validate(stages.Defaults{Timeout: time.Second}),
			stages.Execute(executor(llm.Timeout(&model{latency: time.Hour}), 1)))
		require.Equal(t, batch.ErrAPITimeout, items[0].Result.ErrorType)
		require.True(t, items[0].Retryable)
		require.Equal(t, time.Second, items[0].Result.ElapsedTime)
	})
}

func TestAnAnswerThatComesInSpiteOfACancellationIsKept(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		c := llm.CompleterFunc(func(context.Context, *llm.Call) (*llm.Answer, error) {
			cancel(errBroken)
			return says("paid for"), nil
		})
		items := asking("a")
		mustRun(ctx, t, items, stages.Validate(stages.Defaults{}), stages.Execute(executor(c, 1)))
		require.True(t, items[0].Result.Success)
		require.Equal(t, "paid for", items[0].Result.Response)
	})
}

func TestAFailureThatComesWithACancellationIsStillAFailure(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		c := llm.CompleterFunc(func(context.Context, *llm.Call) (*llm.Answer, error) {
			cancel(errBroken)
			return nil, batch.ErrTokenLimit.Errorf("too long")
		})
		items := asking("a")
		mustRun(ctx, t, items, stages.Validate(stages.Defaults{}), stages.Execute(executor(c, 1)))
		require.Equal(t, batch.ErrTokenLimit, items[0].Result.ErrorType)
	})
}

func TestAnotherRequestsFailureThatEndsTheRunIsNotTakenForOnesOwn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		other := unavailable()
		other.Usage = &batch.TokenUsage{Total: 1000}
		other.Raw = &batch.RawAnswer{Status: 503}
		time.AfterFunc(time.Minute, func() { cancel(&batch.RequestError{ID: "other", Err: other}) })
		items := numbered(3) // one in a call, one that waits for a permit, one that has not begun
		c := llm.NewPermits(1).Limit(&model{latency: time.Hour})
		mustRun(ctx, t, items, stages.Validate(stages.Defaults{}), stages.Execute(executor(c, 2)))
		for _, item := range items {
			require.Equal(t, batch.ErrCancelled, item.Result.ErrorType)
			require.Equal(t, `the run was cancelled: request "other": 503 Service Unavailable`, item.Result.Error)
			require.Equal(t, item.Request.ID, item.Result.Err.(*batch.RequestError).ID)
			require.Nil(t, item.Result.TokensUsed)
			require.Nil(t, item.Result.Raw)
		}
	})
}

func TestADrainingRunFinishesCallsAndBeginsNone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		drain := make(chan struct{})
		m := &model{latency: time.Hour}
		time.AfterFunc(time.Minute, func() { close(drain) })
		items := numbered(5)
		mustRun(batch.WithDrain(t.Context(), drain), t, items, stages.Validate(stages.Defaults{}), stages.Execute(executor(m, 2)))
		require.Len(t, m.asked(""), 2)
		for _, item := range items {
			if len(m.asked(item.ID())) > 0 {
				require.True(t, item.Result.Success)
				continue
			}
			require.True(t, item.Result.Unfinished())
			require.Equal(t, "left for a later run", item.Result.Error)
			require.Zero(t, item.Result.Attempts)
		}
	})
}

func TestAnExecutorServesSeveralRunsAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := &model{latency: time.Second}
		execute := stages.Execute(executor(m, 2))
		done := make(chan []*batch.Item)
		for range 3 {
			go func() {
				items := numbered(4)
				_, _ = run(t.Context(), items, stages.Validate(stages.Defaults{}), execute)
				done <- items
			}()
		}
		for range 3 {
			for _, item := range <-done {
				require.True(t, item.Result.Success)
			}
		}
		require.Equal(t, 6, m.most, "each run has workers of its own; llm.Permits bounds them together")
	})
}
