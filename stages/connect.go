package stages

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/sourcegraph/conc/panics"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// Connect runs stages one after the other, with channels of the given buffer between them, and returns when all have
// returned and every item has reached out. It never closes out. It is what [Chain] and the engine are made of.
//
// A stage that returns before its input ends, returns an error or panics is broken: broken is called at once, for each such
// stage, so that the caller can stop feeding in; one that returns early without an error is found out by the next item. Several
// stages may call broken at the same time. Items that a broken stage did not take are passed on, unfinished unless they are
// settled. The errors are also returned, joined.
func Connect(
	ctx context.Context, stages []batch.Stage, buffer int, in <-chan *batch.Item, out chan<- *batch.Item, broken func(error),
) error {
	errs := make([]error, len(stages))
	var wg sync.WaitGroup
	for i, stage := range stages {
		stageIn, stageOut := in, out
		var next chan *batch.Item
		if i < len(stages)-1 {
			next = make(chan *batch.Item, buffer)
			in, stageOut = next, next
		}
		wg.Go(func() {
			if next != nil {
				defer close(next)
			}
			errs[i] = runToEnd(ctx, stage, stageIn, stageOut, broken)
		})
	}
	if len(stages) == 0 {
		for item := range in {
			out <- item
		}
	}
	wg.Wait()
	return errors.Join(errs...)
}

var errEndedEarly = errors.New("a stage returned before its input ended")

// runToEnd runs one stage and then passes on what it left in its input.
func runToEnd(
	ctx context.Context, stage batch.Stage, in <-chan *batch.Item, out chan<- *batch.Item, broken func(error),
) error {
	var err error
	if recovered := panics.Try(func() { err = stage(ctx, in, out) }); recovered != nil {
		err = fmt.Errorf("a stage panicked: %w", recovered.AsError())
	}
	if err != nil {
		broken(err)
	}
	for item := range in {
		if err == nil {
			err = errEndedEarly
			broken(err)
		}
		if !item.Settled() {
			item.Fail(batch.ErrCancelled.Errorf("the run broke: %w", err))
		}
		out <- item
	}
	return err
}

// Chain makes one stage of several: what the first sends the second receives, and so on.
func Chain(stages ...batch.Stage) batch.Stage {
	return func(ctx context.Context, in <-chan *batch.Item, out chan<- *batch.Item) error {
		first := make(chan *batch.Item)
		brokeOff := make(chan struct{})
		var once sync.Once
		var feeder sync.WaitGroup
		feeder.Go(func() {
			defer close(first)
			for {
				select {
				case item, ok := <-in:
					if !ok {
						return
					}
					first <- item // Connect takes whatever comes, broken or not
				case <-brokeOff:
					return // the engine sees to what is left in in
				}
			}
		})
		defer feeder.Wait()
		return Connect(ctx, stages, 0, first, out, func(error) { once.Do(func() { close(brokeOff) }) })
	}
}
