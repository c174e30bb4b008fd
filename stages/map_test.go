package stages_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestMapCallsItsFunctionOnlyForItemsThatAreNotSettled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		items := asking("new", "done", "dropped", "retryable")
		items[1].Settle(&batch.Result{Success: true})
		items[2].Drop("not wanted")
		items[3].Fail(batch.ErrServer.Errorf("overloaded"))
		items[3].Retryable = true
		var called []string
		mustRun(t.Context(), t, items, stages.Map(1, func(_ context.Context, item *batch.Item) error {
			called = append(called, item.ID())
			return nil
		}))
		require.Equal(t, []string{"new", "retryable"}, called)
	})
}

func TestMapResultsCallsItsFunctionForEveryFinishedResult(t *testing.T) {
	bubble(t, func(t *testing.T) {
		items := asking("new", "done", "dropped", "failed", "cut short")
		items[1].Settle(&batch.Result{Success: true})
		items[2].Settle(&batch.Result{Success: true})
		items[2].Drop("not wanted")
		items[3].Fail(batch.ErrServer.Errorf("overloaded"))
		items[4].Fail(batch.ErrCancelled.Errorf("cancelled"))
		var called []string
		mustRun(t.Context(), t, items, stages.MapResults(1, func(_ context.Context, item *batch.Item) error {
			called = append(called, item.ID())
			return nil
		}))
		require.Equal(t, []string{"done", "failed"}, called)
	})
}

func TestMapCallsItsFunctionByAsManyWorkersAsAsked(t *testing.T) {
	for _, workers := range []int{1, 3} {
		bubble(t, func(t *testing.T) {
			var busy, most atomic.Int64
			start := time.Now()
			came := mustRun(t.Context(), t, numbered(12), stages.Map(workers, func(context.Context, *batch.Item) error {
				most.Store(max(most.Load(), busy.Add(1)))
				defer busy.Add(-1)
				time.Sleep(time.Second)
				synctest.Wait()
				return nil
			}))
			require.EqualValues(t, workers, most.Load())
			require.Equal(t, time.Duration(12/workers)*time.Second, time.Since(start))
			if workers == 1 {
				require.Equal(t, ids(numbered(12)), ids(came), "one worker keeps the order")
			}
		})
	}
}

func TestAMapFunctionsFailureFailsTheItemAndNotTheRun(t *testing.T) {
	tests := map[string]struct {
		fn   func(context.Context, *batch.Item) error
		kind batch.ErrorKind
		text string
	}{
		"an error":               {func(context.Context, *batch.Item) error { return errBroken }, batch.ErrStage, "broken"},
		"a panic":                {func(context.Context, *batch.Item) error { panic("oh") }, batch.ErrStage, "a stage panicked: oh"},
		"a nil map's panic":      {func(context.Context, *batch.Item) error { return assignToNilMap(nil) }, batch.ErrStage, "a stage panicked: assignment to entry in nil map"},
		"an error with a kind":   {func(context.Context, *batch.Item) error { return batch.ErrTokenLimit.Wrap(errBroken) }, batch.ErrTokenLimit, "broken"},
		"an error after success": {settleThenFail, batch.ErrStage, "broken"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				items := asking("a")
				mustRun(t.Context(), t, items, stages.Map(2, test.fn))
				r := items[0].Result
				require.False(t, r.Success)
				require.Equal(t, test.kind, r.ErrorType)
				require.Equal(t, test.text, r.Error)
				require.ErrorIs(t, r.Err, test.kind)
				require.Equal(t, "a", r.ID)
				require.True(t, items[0].Settled())
			})
		})
	}
}

func settleThenFail(_ context.Context, item *batch.Item) error {
	item.Settle(&batch.Result{Success: true})
	return errBroken
}

func TestMapCanSettleAndDropItems(t *testing.T) {
	bubble(t, func(t *testing.T) {
		items := asking("known", "unwanted", "new")
		items[0].Request.Metadata = map[string]any{"k": "v"}
		later := 0
		mustRun(t.Context(), t, items, stages.Map(1, func(_ context.Context, item *batch.Item) error {
			switch item.ID() {
			case "known":
				item.Settle(&batch.Result{Success: true, Response: "from a cache"})
			case "unwanted":
				item.Drop("too long")
			}
			return nil
		}), stages.Map(1, func(context.Context, *batch.Item) error {
			later++
			return nil
		}))
		require.Equal(t, 1, later)
		require.Equal(t, "from a cache", items[0].Result.Response)
		require.Equal(t, "known", items[0].Result.ID)
		require.Equal(t, map[string]any{"k": "v"}, items[0].Result.Metadata)
		require.Equal(t, "too long", items[1].Dropped())
	})
}

func TestMapIsNotCalledAfterTheRunWasCancelled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		items := numbered(5)
		calls := 0
		mustRun(ctx, t, items, stages.Map(1, func(_ context.Context, item *batch.Item) error {
			if calls++; calls == 2 {
				cancel(errBroken)
				return ctx.Err()
			}
			return nil
		}))
		require.Equal(t, 2, calls)
		require.Nil(t, items[0].Result)
		for _, item := range items[1:] {
			require.Equal(t, batch.ErrCancelled, item.Result.ErrorType)
			require.EqualError(t, errors.Unwrap(item.Result.Err), "the run was cancelled: broken")
			require.ErrorIs(t, item.Result.Err, errBroken)
		}
	})
}

func TestWhatABudgetCutsShortHasTheBudgetsKind(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(batch.ErrBudgetExceeded.Errorf("10 dollars are spent"))
		items := numbered(1)
		mustRun(ctx, t, items, stages.Map(1, func(context.Context, *batch.Item) error { return nil }))
		require.Equal(t, batch.ErrBudgetExceeded, items[0].Result.ErrorType)
		require.True(t, items[0].Result.Unfinished())
	})
}

func TestMapResultsWorksOnWhatIsPaidForAfterTheRunWasCancelled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errBroken)
		items := asking("fine", "needs ctx", "wrong")
		for _, item := range items {
			item.Settle(&batch.Result{Success: true})
		}
		mustRun(ctx, t, items, stages.MapResults(1, func(ctx context.Context, item *batch.Item) error {
			switch item.ID() {
			case "needs ctx":
				return ctx.Err()
			case "wrong":
				return errors.New("not a number")
			}
			item.Result.SetMetadata("parsed", true)
			return nil
		}))
		require.True(t, items[0].Result.Success)
		require.Equal(t, true, items[0].Result.Metadata["parsed"])
		require.True(t, items[1].Result.Unfinished(), "a later run does it again")
		require.Equal(t, batch.ErrStage, items[2].Result.ErrorType)
	})
}

func TestMisuseOfAStagePanicsWithTheLibrarysName(t *testing.T) {
	fn := func(context.Context, *batch.Item) error { return nil }
	exec := executor(&model{}, 1)
	for name, test := range map[string]struct {
		misuse func()
		text   string
	}{
		"Map without workers":             {func() { stages.Map(0, fn) }, "gluepipe: stages.Map needs 1 worker or more and a function"},
		"Map without a function":          {func() { stages.Map(1, nil) }, "gluepipe: stages.Map needs 1 worker or more and a function"},
		"MapResults without workers":      {func() { stages.MapResults(-1, fn) }, "gluepipe: stages.MapResults needs 1 worker or more and a function"},
		"NewExecutor without a Completer": {func() { stages.NewExecutor(stages.ExecutorConfig{MaxConcurrent: 1}) }, "gluepipe: stages.NewExecutor needs a Completer and MaxConcurrent of 1 or more"},
		"NewExecutor without workers":     {func() { stages.NewExecutor(stages.ExecutorConfig{Completer: &model{}}) }, "gluepipe: stages.NewExecutor needs a Completer and MaxConcurrent of 1 or more"},
		"Retry with a wrong policy":       {func() { stages.Retry(exec, stages.RetryPolicy{MaxAttempts: -1}) }, "gluepipe: stages.Retry: MaxAttempts: want 1 or more"},
		"Collect without cancel":          {func() { stages.Collect(batch.FailFast, nil) }, "gluepipe: stages.Collect needs cancel under FailFast"},
	} {
		t.Run(name, func(t *testing.T) { require.PanicsWithValue(t, test.text, test.misuse) })
	}
}

func assignToNilMap(m map[int]int) error {
	m[0] = 1
	return nil
}
