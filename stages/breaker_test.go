package stages_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

// settled returns items that a model was asked for: a nil error is a success.
func settled(errs ...error) []*batch.Item {
	items := numbered(len(errs))
	for i, err := range errs {
		items[i].Settle(&batch.Result{Success: err == nil, Attempts: 1})
		if err != nil {
			items[i].Fail(err)
		}
	}
	return items
}

// broken runs items through a breaker. It returns which of them are unfinished then, and its error.
func broken(t *testing.T, abortAfter int, items []*batch.Item) (unfinished []int, err error) {
	t.Helper()
	var stops []error
	came, err := run(t.Context(), items, stages.Breaker(abortAfter, func(cause error) { stops = append(stops, cause) }))
	require.Equal(t, items, came)
	for i, item := range items {
		if item.Result.Unfinished() {
			unfinished = append(unfinished, i)
		}
	}
	if err == nil {
		require.Empty(t, stops)
	} else {
		require.Len(t, stops, 1)
		require.ErrorIs(t, err, stops[0])
	}
	return unfinished, err
}

func refused() error {
	return &llm.Error{
		Kind: batch.ErrAuthentication, Status: 401, Fatal: true, Err: errors.New("no usable API key is left"),
	}
}

func TestTheBreakerStopsTheRunAfterManyFailuresOfOneKind(t *testing.T) {
	bubble(t, func(t *testing.T) {
		items := settled(unavailable(), unavailable(), unavailable(), unavailable(), nil, unavailable())
		unfinished, err := broken(t, 3, items)
		require.EqualError(t, err, "stopped after 3 failures in a row without a success: ServerError: 503 Service Unavailable")
		require.ErrorIs(t, err, batch.ErrServer)
		require.Equal(t, []int{2, 3, 5}, unfinished, "from the failure that trips it on, a later run does them again")
		require.Equal(t, "left for a later run: 503 Service Unavailable", items[2].Result.Error)
		require.Equal(t, batch.ErrCancelled, items[2].Result.ErrorType)
		require.ErrorIs(t, items[2].Result.Err, batch.ErrServer)
		require.Equal(t, 1, items[2].Result.Attempts)
		require.True(t, items[4].Result.Success, "what succeeds meanwhile is kept")
	})
}

func TestTheBreakerTripsAtOnceWhereNoCallCanSucceed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		spent := &llm.Error{Kind: batch.ErrQuotaExceeded, Fatal: true, Err: errors.New("no credit")}
		items := settled(nil, unavailable(), fmt.Errorf("calling: %w", refused()), unavailable(), spent, refused())
		unfinished, err := broken(t, 100, items)
		require.EqualError(t, err, "stopped: calling: no usable API key is left")
		require.ErrorIs(t, err, batch.ErrAuthentication)
		require.Equal(t, []int{2, 4, 5}, unfinished, "failures of other kinds stand")
	})
}

func TestASuccessBeginsTheBreakersCountAnew(t *testing.T) {
	bubble(t, func(t *testing.T) {
		unfinished, err := broken(t, 2, settled(unavailable(), nil, unavailable(), nil, unavailable()))
		require.NoError(t, err)
		require.Empty(t, unfinished)
	})
}

func TestTheBreakerCountsEachKindByItself(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tooLong := batch.ErrTokenLimit.Errorf("too long")
		items := settled(unavailable(), tooLong, unavailable(), tooLong, unavailable(), tooLong)
		unfinished, err := broken(t, 3, items)
		require.ErrorIs(t, err, batch.ErrServer)
		require.Equal(t, []int{4}, unfinished)
		require.Equal(t, batch.ErrTokenLimit, items[5].Result.ErrorType)
	})
}

func TestTheBreakerCountsOnlyWhatAModelWasAskedFor(t *testing.T) {
	bubble(t, func(t *testing.T) {
		items := settled(unavailable(), unavailable(), unavailable(), nil, batch.ErrCancelled.Errorf("cancelled"), unavailable())
		items[1].Result.Attempts = 0 // a bad record
		items[3].Result.Attempts = 0 // a cache had it
		unfinished, err := broken(t, 3, items)
		require.ErrorIs(t, err, batch.ErrServer)
		require.Equal(t, []int{4, 5}, unfinished)
	})
}

func TestTheBreakerCountsWhatWasDroppedButLeavesItDropped(t *testing.T) {
	bubble(t, func(t *testing.T) {
		items := settled(unavailable(), unavailable())
		items[1].Drop("put elsewhere")
		unfinished, err := broken(t, 2, items)
		require.Error(t, err)
		require.Empty(t, unfinished)
	})
}

func TestTheBreakerTakesAFailureWithoutAnError(t *testing.T) {
	bubble(t, func(t *testing.T) {
		items := numbered(1)
		items[0].Settle(&batch.Result{Attempts: 1, Error: "no good", ErrorType: "OwnError"})
		unfinished, err := broken(t, 1, items)
		require.EqualError(t, err, "stopped after a failure without a success: OwnError: no good")
		require.Equal(t, []int{0}, unfinished)
	})
}

func TestEachRunHasABreakerOfItsOwn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		stage := stages.Breaker(2, func(err error) { t.Error(err) })
		for range 3 {
			mustRun(t.Context(), t, settled(unavailable()), stage)
		}
	})
}

func TestABreakerThatCannotBreakPanics(t *testing.T) {
	require.PanicsWithValue(t, "gluepipe: stages.Breaker needs abortAfter of 1 or more, and stop", func() {
		stages.Breaker(0, func(error) {})
	})
	require.Panics(t, func() { stages.Breaker(1, nil) })
}

func TestAFailureThatEveryCallMeetsIsNotRetried(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := &model{answer: func(int, string, *llm.Call) (*llm.Answer, error) {
			failure := unavailable()
			failure.Fatal = true
			return nil, failure
		}}
		tried(t.Context(), t, m, stages.RetryPolicy{MaxAttempts: 3}, asking("a"))
		require.Len(t, m.asked(""), 1)
	})
}
