package stages_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// outcomes returns a success, an unfinished item, a dropped one, and two failures.
func outcomes() []*batch.Item {
	items := asking("good", "cut short", "dropped", "bad", "worse")
	items[0].Settle(&batch.Result{Success: true})
	items[1].Fail(batch.ErrCancelled.Errorf("cancelled"))
	items[2].Fail(batch.ErrServer.Errorf("overloaded"))
	items[2].Drop("not wanted")
	items[3].Settle(&batch.Result{Attempts: 3})
	items[3].Fail(batch.ErrTokenLimit.Errorf("too long"))
	items[4].Fail(batch.ErrServer.Errorf("overloaded"))
	return items
}

func TestFailFastCancelsTheRunOnceWithTheFirstFailure(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var causes []error
		items := outcomes()
		came := mustRun(t.Context(), t, items, stages.Collect(batch.FailFast, func(cause error) { causes = append(causes, cause) }))
		require.Equal(t, items, came)
		require.Len(t, causes, 1)
		var failure *batch.RequestError
		require.ErrorAs(t, causes[0], &failure)
		require.Equal(t, "bad", failure.ID)
		require.EqualValues(t, 3, failure.Index)
		require.ErrorIs(t, failure, batch.ErrTokenLimit)
		require.Empty(t, items[3].Dropped())
	})
}

func TestFailFastLeavesARunWithoutFailuresAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		mustRun(t.Context(), t, outcomes()[:3], stages.Collect(batch.FailFast, func(cause error) {
			t.Errorf("cancelled with %v", cause)
		}))
	})
}

func TestSkipDropsFailedItemsOnly(t *testing.T) {
	bubble(t, func(t *testing.T) {
		items := outcomes()
		mustRun(t.Context(), t, items, stages.Collect(batch.Skip, nil))
		var reasons []string
		for _, item := range items {
			reasons = append(reasons, item.Dropped())
		}
		require.Equal(t, []string{"", "", "not wanted", stages.Skipped, stages.Skipped}, reasons)
	})
}

func TestContinuePassesEverythingOn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		items := outcomes()
		require.Equal(t, items, mustRun(t.Context(), t, items, stages.Collect(batch.Continue, nil)))
		require.Empty(t, items[3].Dropped())
		require.Empty(t, items[4].Dropped())
	})
}
