package llm_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

func ExamplePermits() {
	permits := llm.NewPermits(5)
	client := llm.CompleterFunc(func(context.Context, *llm.Call) (*llm.Answer, error) {
		fmt.Println("in flight:", permits.InFlight())
		return &llm.Answer{}, nil
	})
	_, _ = permits.Limit(client).Complete(context.Background(), &llm.Call{})
	fmt.Println("in flight:", permits.InFlight())
	// Output:
	// in flight: 1
	// in flight: 0
}

func TestPermitsBoundTheCallsInFlightOverAllCompleters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &mwServer{latency: time.Second}
		permits := llm.NewPermits(3)
		one, other := permits.Limit(server), permits.Limit(server)
		began := time.Now()
		done := make(chan []error)
		go func() { done <- mwRun(t.Context(), one, 10, 15) }()
		errs := append(mwRun(t.Context(), other, 10, 15), <-done...)
		require.NoError(t, errors.Join(errs...))
		require.Equal(t, 3, server.maxInFlight())
		require.Equal(t, 10*time.Second, time.Since(began))
		require.Zero(t, permits.InFlight())
	})
}

func TestPermitsCountTheWaitIntoTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := llm.NewPermits(1).Limit(&mwServer{latency: time.Second})
		go func() { _, _ = c.Complete(t.Context(), &llm.Call{}) }()
		synctest.Wait()
		call := &llm.Call{Waited: time.Minute}
		_, err := c.Complete(t.Context(), call)
		require.NoError(t, err)
		require.Equal(t, time.Minute+time.Second, call.Waited)
	})
}

func TestPermitsStopWaitingWhenTheContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		permits := llm.NewPermits(1)
		c := permits.Limit(&mwServer{latency: time.Hour})
		go func() { _, _ = c.Complete(t.Context(), &llm.Call{}) }()
		synctest.Wait()
		cause := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(cause) })
		_, err := c.Complete(ctx, &llm.Call{})
		require.Equal(t, batch.ErrCancelled, batch.KindOf(err))
		require.ErrorIs(t, err, cause)
		require.Equal(t, 1, permits.InFlight())
	})
}

func TestPermitsAreGivenBackWhenTheCallPanics(t *testing.T) {
	permits := llm.NewPermits(1)
	c := permits.Limit(llm.CompleterFunc(func(context.Context, *llm.Call) (*llm.Answer, error) { panic("boom") }))
	require.Panics(t, func() { _, _ = c.Complete(t.Context(), &llm.Call{}) })
	require.Zero(t, permits.InFlight())
}

func TestNewPermitsRefusesLessThanOne(t *testing.T) {
	require.PanicsWithValue(t, "gluepipe: NewPermits needs at least one permit", func() { llm.NewPermits(0) })
}
