package stages

import (
	"context"
	"errors"
	"fmt"

	"github.com/sourcegraph/conc/pool"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// Map makes a stage of a function that is called for each item that is not settled yet, by n workers at once. It is for
// stages before execute: fn may change item.Effective (add context to the chat, choose a model), settle the item with an
// answer it knows ([batch.Item.Settle]), or take it out of the run ([batch.Item.Drop]).
//
// An error that fn returns, or a panic, fails the item and not the run: with the error's kind, or as a StageError. ctx ends
// when the run is cancelled; fn is not called after that. With n = 1 items keep their order. n below 1 panics.
func Map(n int, fn func(ctx context.Context, item *batch.Item) error) batch.Stage {
	return each("Map", n, func(item *batch.Item) bool { return !item.Settled() }, fn)
}

// MapResults makes a stage of a function that is called for each item that has a result, successful or not, by n workers at
// once. It is for stages after execute: fn may change item.Result (parse the answer, add metadata with
// [batch.Result.SetMetadata]) or keep it from the sink ([batch.Item.Drop]). Unfinished results are passed on untouched.
//
// Errors, panics and n are as for [Map]. A result is paid for, so fn is called after the end of ctx too; where it fails
// because of that end, the item becomes unfinished.
func MapResults(n int, fn func(ctx context.Context, item *batch.Item) error) batch.Stage {
	return each("MapResults", n, func(item *batch.Item) bool {
		return item.Dropped() == "" && item.Result != nil && !item.Result.Unfinished()
	}, fn)
}

func each(
	name string, n int, wanted func(*batch.Item) bool, fn func(ctx context.Context, item *batch.Item) error,
) batch.Stage {
	if n < 1 || fn == nil {
		panic(fmt.Sprintf("gluepipe: stages.%s needs 1 worker or more and a function", name))
	}
	return func(ctx context.Context, in <-chan *batch.Item, out chan<- *batch.Item) error {
		workers(n, func() {
			for item := range in {
				if wanted(item) {
					apply(ctx, item, fn)
				}
				out <- item
			}
		})
		return nil
	}
}

func apply(ctx context.Context, item *batch.Item, fn func(ctx context.Context, item *batch.Item) error) {
	// A result that is paid for still gets its stage: only what is not done yet is cut short.
	if ctx.Err() != nil && item.Result == nil {
		cutShort(ctx, item)
		return
	}
	err := called(ctx, item, fn)
	switch {
	case err == nil:
	case ctx.Err() != nil && item.Result == nil, causedByEnd(ctx, err):
		cutShort(ctx, item)
	case batch.KindOf(err) == "":
		item.Fail(batch.ErrStage.Wrap(err))
	default:
		item.Fail(err)
	}
}

// called turns a panic of fn into an error.
func called(ctx context.Context, item *batch.Item, fn func(ctx context.Context, item *batch.Item) error) (err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("a stage panicked: %v", panicked)
		}
	}()
	return fn(ctx, item)
}

// causedByEnd tells whether something failed because ctx has ended.
func causedByEnd(ctx context.Context, err error) bool {
	return ctx.Err() != nil && (errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx)))
}

// cutShort settles an item that the run's end kept from being done.
func cutShort(ctx context.Context, item *batch.Item) {
	cause := context.Cause(ctx)
	kind := batch.KindOf(cause)
	if !kind.Unfinished() {
		kind = batch.ErrCancelled
	}
	item.Fail(kind.Errorf("the run was cancelled: %w", cause))
}

// workers runs work n times side by side and waits. work must not panic but by misuse.
func workers(n int, work func()) {
	p := pool.New().WithMaxGoroutines(n)
	defer p.Wait()
	for range n {
		p.Go(work)
	}
}
