package main

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// slowToClose is a sink whose Close takes a minute, unless its context ends.
type slowToClose struct{ batch.Sink }

func (slowToClose) Close(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return fmt.Errorf("cut short: %w", context.Cause(ctx))
	case <-time.After(time.Minute):
		return nil
	}
}

func TestClosingAnOutputThatTakesLongIsToldAndCanBeInterrupted(t *testing.T) {
	for _, test := range []struct {
		name        string
		interruptAt time.Duration // -1: before
		took        time.Duration
		err         error
	}{
		{"never interrupted", time.Hour, time.Minute, nil},
		{"interrupted meanwhile", 10 * time.Second, 10 * time.Second, errInterruptedTwice},
		{"interrupted before", -1, time.Minute, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, interrupt := context.WithCancel(t.Context())
				if test.interruptAt < 0 {
					interrupt()
				}
				timer := time.AfterFunc(test.interruptAt, interrupt)
				defer timer.Stop()
				var notes []string
				o := &output{Sink: slowToClose{}, path: "out.parquet", interrupted: ctx.Done(), notef: func(format string, args ...any) {
					notes = append(notes, fmt.Sprintf(format, args...))
				}}
				begin := time.Now()
				err := o.Close(t.Context())
				require.ErrorIs(t, err, test.err)
				require.Equal(t, test.took, time.Since(begin))
				require.Equal(t, []string{"finishing out.parquet; if that is interrupted, the next run does it"}, notes)
			})
		})
	}
}

func TestClosingAnOutputEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, (&output{Sink: slowToClose{}}).Close(ctx), context.Canceled)
}
