package source_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/source/sourcetest"
	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSliceConforms(t *testing.T) {
	sourcetest.Run(t, func(_ *testing.T, requests []batch.Request) batch.Source { return source.Slice(requests) })
}

func TestSeqConforms(t *testing.T) {
	sourcetest.Run(t, func(_ *testing.T, requests []batch.Request) batch.Source { return source.Seq(seqOf(requests)) })
}

func TestChanConforms(t *testing.T) {
	sourcetest.Run(t, func(_ *testing.T, requests []batch.Request) batch.Source {
		ch := make(chan batch.Request, len(requests))
		for _, r := range requests {
			ch <- r
		}
		close(ch)
		return source.Chan(ch)
	})
}

func TestSlicePointsAtTheCallersRequestsAndKnowsItsLength(t *testing.T) {
	requests := []batch.Request{{UserMessage: "a"}, {UserMessage: "b"}}
	src := source.Slice(requests)
	require.Equal(t, 2, src.Len())
	item := next(t, src)
	require.Same(t, &requests[0], item.Request)
	require.Equal(t, "request 1", item.Origin)
	require.Equal(t, "request 2", next(t, src).Origin)
	require.Equal(t, 2, src.Len())
}

func TestAnErrorOfTheIteratorEndsTheRun(t *testing.T) {
	broken, cleanedUp := errors.New("query failed"), false
	src := source.Seq(func(yield func(batch.Request, error) bool) {
		defer func() { cleanedUp = true }()
		_ = yield(batch.Request{UserMessage: "a"}, nil) && yield(batch.Request{}, broken) && yield(batch.Request{}, nil)
	})
	next(t, src)
	for range 2 {
		_, err := src.Next(t.Context())
		require.ErrorIs(t, err, broken)
		require.EqualError(t, err, "request 2: query failed")
	}
	require.True(t, cleanedUp)
	require.NoError(t, src.Close())
}

func TestAPanicOfTheIteratorIsAnError(t *testing.T) {
	src := source.Seq(func(yield func(batch.Request, error) bool) {
		yield(batch.Request{}, nil)
		panic("no rows")
	})
	next(t, src)
	_, err := src.Next(t.Context())
	require.EqualError(t, err, "request 2: the iterator panicked: no rows")
	require.NoError(t, src.Close())
}

func TestCloseEndsTheIteratorsLoop(t *testing.T) {
	cleanedUp := false
	src := source.Seq(func(yield func(batch.Request, error) bool) {
		defer func() { cleanedUp = true }()
		for yield(batch.Request{}, nil) {
		}
	})
	next(t, src)
	require.False(t, cleanedUp)
	require.NoError(t, src.Close())
	require.True(t, cleanedUp)
	_, err := src.Next(t.Context())
	require.Equal(t, io.EOF, err)
}

func TestCloseWhileTheIteratorRunsEndsItWhenItYields(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		proceed, cleanedUp, finished := make(chan struct{}), false, make(chan struct{})
		src := source.Seq(func(yield func(batch.Request, error) bool) {
			defer func() { cleanedUp = true }()
			<-proceed
			for yield(batch.Request{}, nil) {
			}
		})
		go func() {
			defer close(finished)
			_, _ = src.Next(t.Context())
		}()
		synctest.Wait()
		require.NoError(t, src.Close())
		close(proceed)
		<-finished
		require.True(t, cleanedUp)
	})
}

func TestItemsOfAnIteratorHaveRequestsOfTheirOwn(t *testing.T) {
	src := source.Seq(seqOf([]batch.Request{{ID: "a"}, {ID: "b"}}))
	a, b := next(t, src), next(t, src)
	require.NoError(t, src.Close())
	require.Equal(t, "a", a.Request.ID)
	require.Equal(t, "b", b.Request.ID)
}

func TestChanWaitsForARequestUntilItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ch := make(chan batch.Request)
		src := source.Chan(ch)
		go func() { ch <- batch.Request{ID: "a"} }()
		require.Equal(t, "a", next(t, src).Request.ID)

		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			synctest.Wait() // Next is waiting
			cancel()
		}()
		_, err := src.Next(ctx)
		require.ErrorIs(t, err, context.Canceled)
	})
}

func TestChanTakesNothingForARunThatHasEnded(t *testing.T) {
	ch := make(chan batch.Request, 1)
	ch <- batch.Request{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	src := source.Chan(ch)
	for range 50 { // an unlucky select would take it sooner or later
		_, err := src.Next(ctx)
		require.ErrorIs(t, err, context.Canceled)
	}
	require.Len(t, ch, 1)
}

func next(t *testing.T, src batch.Source) *batch.Item {
	t.Helper()
	item, err := src.Next(t.Context())
	require.NoError(t, err)
	return item
}

func seqOf(requests []batch.Request) iter.Seq2[batch.Request, error] {
	return func(yield func(batch.Request, error) bool) {
		for _, r := range requests {
			if !yield(r, nil) {
				return
			}
		}
	}
}
