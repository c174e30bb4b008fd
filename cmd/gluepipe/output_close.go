package main

import (
	"context"
	"sync"
	"time"
)

// tellOfClose is how long the outputs are closed in silence.
const tellOfClose = 2 * time.Second

// Close closes the outputs, which makes a Parquet file. Where that takes long, people are told. It ends with ctx, and at an
// interrupt that cancels the run meanwhile: the next run finishes it. One that came before has cancelled the requests, and
// doesn't keep what they left from being written.
func (o *output) Close(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	interrupted := o.interrupted
	select {
	case <-interrupted:
		interrupted = nil
	default:
	}
	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		tell := time.After(tellOfClose)
		for {
			select {
			case <-done:
				return
			case <-interrupted:
				interrupted = nil
				cancel(errInterruptedTwice)
			case <-tell:
				o.notef("finishing %s; if that is interrupted, the next run does it", o.name())
			}
		}
	})
	defer func() { close(done); watching.Wait() }()
	return o.Sink.Close(ctx)
}
