package batch_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestAKindIsFoundThroughEveryWrapping(t *testing.T) {
	err := batch.ErrRateLimit.Errorf("calling the model: %w", io.ErrUnexpectedEOF)
	err = &batch.RequestError{ID: "a", Err: fmt.Errorf("after 3 attempts: %w", err)}
	err = fmt.Errorf("running: %w", errors.Join(errors.New("first"), err))

	require.ErrorIs(t, err, batch.ErrRateLimit)
	require.NotErrorIs(t, err, batch.ErrServer)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Equal(t, batch.ErrRateLimit, batch.KindOf(err))
	failure, ok := errors.AsType[*batch.RequestError](err)
	require.True(t, ok)
	require.Equal(t, "a", failure.ID)
	kind, ok := errors.AsType[batch.ErrorKind](err)
	require.True(t, ok)
	require.Equal(t, batch.ErrRateLimit, kind)
}

func TestTheOutermostKindCounts(t *testing.T) {
	inner := batch.ErrAPITimeout.Errorf("too slow")
	err := batch.ErrCancelled.Wrap(fmt.Errorf("giving up: %w", inner))
	require.Equal(t, batch.ErrCancelled, batch.KindOf(err))
	require.ErrorIs(t, err, batch.ErrCancelled)
	require.ErrorIs(t, err, batch.ErrAPITimeout, "the inner kind is still known")
	require.EqualError(t, err, "giving up: too slow")
}

func TestAKindKeepsTheTextOfWhatItWraps(t *testing.T) {
	require.EqualError(t, batch.ErrServer.Wrap(io.EOF), "EOF")
	require.EqualError(t, batch.ErrServer.Errorf("status %d", 503), "status 503")
	require.EqualError(t, batch.ErrServer, "ServerError")
	require.NoError(t, batch.ErrServer.Wrap(nil))
}

func TestAnErrorWithoutAKindHasNone(t *testing.T) {
	require.Empty(t, batch.KindOf(nil))
	require.Empty(t, batch.KindOf(context.Canceled))
	require.Equal(t, batch.ErrStage, batch.KindOf(batch.ErrStage))
}

func TestOnlyCancelledAndOverBudgetAreUnfinished(t *testing.T) {
	for _, kind := range []batch.ErrorKind{
		batch.ErrInvalidRequest, batch.ErrAuthentication, batch.ErrRateLimit, batch.ErrQuotaExceeded, batch.ErrTokenLimit,
		batch.ErrContentFilter, batch.ErrTruncated, batch.ErrAPIConnection, batch.ErrAPITimeout, batch.ErrServer,
		batch.ErrToolIterationLimit, batch.ErrStructuredOutput, batch.ErrStage, "",
	} {
		require.False(t, kind.Unfinished(), kind)
		require.False(t, (&batch.Result{ErrorType: kind}).Unfinished(), kind)
	}
	for _, kind := range []batch.ErrorKind{batch.ErrCancelled, batch.ErrBudgetExceeded} {
		require.True(t, kind.Unfinished(), kind)
		require.True(t, (&batch.Result{ErrorType: kind}).Unfinished(), kind)
	}
}
