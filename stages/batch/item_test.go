package batch_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestAnItemIsSettledWhenItsOutcomeIsFinal(t *testing.T) {
	for name, test := range map[string]struct {
		item    batch.Item
		settled bool
	}{
		"nothing known":             {batch.Item{}, false},
		"not yet run":               {batch.Item{Request: &batch.Request{}, Effective: &batch.Request{}}, false},
		"succeeded":                 {batch.Item{Result: &batch.Result{Success: true}}, true},
		"failed for good":           {batch.Item{Result: &batch.Result{}}, true},
		"failed, to be tried again": {batch.Item{Result: &batch.Result{}, Retryable: true}, false},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.settled, test.item.Settled())
			test.item.Drop("no longer wanted")
			require.True(t, test.item.Settled())
			require.Equal(t, "no longer wanted", test.item.Dropped())
		})
	}
}

func TestDropNeedsAReason(t *testing.T) {
	item := &batch.Item{}
	require.PanicsWithValue(t, "gluepipe: Drop needs a reason", func() { item.Drop("") })
	require.False(t, item.Settled())
	require.Empty(t, item.Dropped())
}

func TestTheIDOfAnItemIsTheOneItsResultHasOrWillHave(t *testing.T) {
	item := &batch.Item{}
	require.Empty(t, item.ID())
	item.Request = &batch.Request{ID: "request"}
	require.Equal(t, "request", item.ID())
	item.Effective = &batch.Request{}
	require.Equal(t, "request", item.ID())
	item.Effective.ID = "effective"
	require.Equal(t, "effective", item.ID())
	item.Result = &batch.Result{}
	require.Equal(t, "effective", item.ID())
	item.Result.ID = "result"
	require.Equal(t, "result", item.ID())
}

func TestFailSettlesAnItemThatHadNoResult(t *testing.T) {
	request := &batch.Request{ID: "a", Metadata: map[string]any{"row": 1}}
	item := &batch.Item{Index: 4, Request: request, Fingerprint: "v1:00", Retryable: true, RetryAfter: time.Second}
	item.Fail(batch.ErrInvalidRequest.Errorf("bad"))

	require.True(t, item.Settled())
	require.Zero(t, item.RetryAfter)
	r := item.Result
	require.Equal(t, "a", r.ID)
	require.EqualValues(t, 4, r.Index)
	require.Equal(t, request.Metadata, r.Metadata)
	require.Equal(t, "v1:00", r.Fingerprint)
	require.Same(t, request, r.Request)
	require.Equal(t, "bad", r.Error)
	require.Equal(t, batch.ErrInvalidRequest, r.ErrorType)
	require.Equal(t, &batch.RequestError{ID: "a", Index: 4, Err: errors.Unwrap(r.Err)}, r.Err)
}

func TestFailKeepsWhatIsKnown(t *testing.T) {
	known := &batch.Result{
		ID: "a", Index: 4, Success: true, Response: "half an answ", Attempts: 3, ToolCallsMade: 2,
		TokensUsed: &batch.TokenUsage{Total: 7}, ElapsedTime: time.Second,
	}
	item := &batch.Item{Index: 4, Request: &batch.Request{ID: "other"}, Result: known, Retryable: true, RetryAfter: time.Second}
	item.Fail(batch.ErrTruncated.Errorf("cut"))

	require.Same(t, known, item.Result)
	require.False(t, known.Success)
	require.Equal(t, "half an answ", known.Response)
	require.Equal(t, 3, known.Attempts)
	require.Equal(t, 2, known.ToolCallsMade)
	require.EqualValues(t, 7, known.TokensUsed.Total)
	failure, ok := errors.AsType[*batch.RequestError](known.Err)
	require.True(t, ok)
	require.Equal(t, "a", failure.ID)
	require.Equal(t, 3, failure.Attempts)
	require.True(t, item.Settled())
	require.Zero(t, item.RetryAfter)
}

func TestFailWorksForARecordThatCouldNotBeRead(t *testing.T) {
	item := &batch.Item{Origin: "line 12"}
	item.Fail(batch.ErrInvalidRequest.Errorf("reading line 12: bad"))
	require.Empty(t, item.Result.ID)
	require.Nil(t, item.Result.Request)
	require.Nil(t, item.Result.Metadata)
}

func TestSettleFillsInWhatTheResultLeavesOut(t *testing.T) {
	request := &batch.Request{ID: "a", Metadata: map[string]any{"row": 1}}
	item := &batch.Item{
		Index: 4, Request: request, Effective: &batch.Request{ID: "effective"}, Fingerprint: "v1:00",
		Retryable: true, RetryAfter: time.Second,
	}
	r := &batch.Result{Success: true, Response: "cached"}
	item.Settle(r)
	require.Same(t, r, item.Result)
	require.Equal(t, &batch.Result{
		ID: "effective", Index: 4, Success: true, Response: "cached", Metadata: request.Metadata, Fingerprint: "v1:00",
		Request: request,
	}, r)
	require.True(t, item.Settled())
	require.Zero(t, item.RetryAfter)
}

func TestSettleKeepsWhatTheResultBrings(t *testing.T) {
	item := &batch.Item{Index: 4, Request: &batch.Request{ID: "a", Metadata: map[string]any{"row": 1}}, Fingerprint: "v1:00"}
	item.Settle(&batch.Result{ID: "own", Index: 9, Metadata: map[string]any{}, Fingerprint: "v1:11"})
	require.Equal(t, "own", item.Result.ID)
	require.EqualValues(t, 4, item.Result.Index, "the index is the item's place in this run")
	require.Empty(t, item.Result.Metadata)
	require.Equal(t, "v1:11", item.Result.Fingerprint)
}

func TestSettleNamesTheItemInTheErrorAndLeavesTheOtherResultsAlone(t *testing.T) {
	earlier := batch.Result{ID: "earlier", Attempts: 2}
	earlier.SetError(batch.ErrContentFilter.Errorf("refused"))

	copied := earlier
	copied.ID = ""
	item := &batch.Item{Index: 4, Request: &batch.Request{ID: "a"}}
	item.Settle(&copied)
	require.EqualError(t, item.Result.Err, `request "a": refused`)
	require.ErrorIs(t, item.Result.Err, batch.ErrContentFilter)
	failure, ok := errors.AsType[*batch.RequestError](item.Result.Err)
	require.True(t, ok)
	require.EqualValues(t, 4, failure.Index)
	require.Equal(t, 2, failure.Attempts)
	require.EqualError(t, earlier.Err, `request "earlier": refused`)
}
