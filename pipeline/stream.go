package pipeline

import (
	"context"
	"errors"
	"iter"
	"sync"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// errLoopEnded is the cause with which a loop that ends early cancels its run.
var errLoopEnded = errors.New("the loop over the results ended")

// Stream runs the requests of a source and yields their results as they finish, the unfinished ones too; under [batch.Skip]
// the successes only. An error is the run's: it comes last, with a nil result, and is what [BatchProcessor.Run] would return.
//
// A result is acknowledged to its source when the loop asks for the next one; a slow loop slows the run down, and nothing
// piles up. When the loop ends early, by break, return or panic, the work is cancelled, the rest stays unacknowledged, and
// every goroutine has ended before the loop is left. Each range over the sequence is a run of its own; the source serves one.
func (p *BatchProcessor) Stream(ctx context.Context, src batch.Source) iter.Seq2[*batch.Result, error] {
	return func(yield func(*batch.Result, error) bool) {
		ctx, cancel := context.WithCancelCause(ctx)
		s := &streamed{
			results: make(chan *batch.Result), next: make(chan struct{}), ended: make(chan struct{}),
			onlySuccesses: p.config.ErrorStrategy == batch.Skip,
		}
		var runErr error
		var wg sync.WaitGroup
		wg.Go(func() {
			defer close(s.results)
			_, runErr = p.Run(ctx, src, s)
		})
		defer func() {
			cancel(errLoopEnded)
			wg.Wait()
		}()
		if !s.yieldAll(yield) {
			return
		}
		wg.Wait()
		if runErr != nil {
			yield(nil, runErr)
		}
	}
}

// streamed is the sink of a stream: it hands each result to the loop and waits until the loop asks for the next.
type streamed struct {
	results chan *batch.Result
	next    chan struct{}
	ended   chan struct{} // closed when the loop has ended, early or not

	onlySuccesses bool
}

func (s *streamed) takesUnfinished() bool { return !s.onlySuccesses }

// yieldAll returns false if the loop ended early.
func (s *streamed) yieldAll(yield func(*batch.Result, error) bool) bool {
	defer close(s.ended)
	for result := range s.results {
		if !yield(result, nil) {
			return false
		}
		s.next <- struct{}{}
	}
	return true
}

func (s *streamed) Write(ctx context.Context, results []*batch.Result) error {
	for _, result := range results {
		select {
		case s.results <- result:
		case <-s.ended:
			return errLoopEnded
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		select {
		case <-s.next:
		case <-s.ended:
			return errLoopEnded
		}
	}
	return nil
}

func (s *streamed) Close(context.Context) error { return nil }
