package stages

import (
	"context"
	"fmt"
	"time"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// A request's timeout is kept by accounts, not by a context: what counts against it is the time in calls, tools and backoffs,
// and the waits for limits in between don't.

func (e *Executor) hasRequestTimeout() bool { return e.config.RequestTimeout > 0 }

// left returns what is left of the request's timeout, where there is one.
func (e *Executor) left(item *batch.Item) time.Duration {
	return e.config.RequestTimeout - item.Result.ElapsedTime - item.Backoff
}

// overdue tells whether nothing is left of the request's timeout after a further wait.
func (e *Executor) overdue(item *batch.Item, wait time.Duration) bool {
	return e.hasRequestTimeout() && wait >= e.left(item)
}

// within bounds a timeout, of which 0 or less is none, by what is left to a request that is not overdue.
func (e *Executor) within(timeout time.Duration, item *batch.Item) time.Duration {
	if !e.hasRequestTimeout() {
		return timeout
	}
	if left := e.left(item); timeout <= 0 || left < timeout {
		return left
	}
	return timeout
}

// withinRequest returns a context that ends when nothing is left of the request's timeout.
func (e *Executor) withinRequest(ctx context.Context, item *batch.Item) (context.Context, context.CancelFunc) {
	if !e.hasRequestTimeout() {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, e.left(item))
}

// timedOut is the failure of a request whose timeout is over.
func (e *Executor) timedOut(item *batch.Item) error {
	attempts := "1 attempt"
	if n := item.Result.Attempts; n != 1 {
		attempts = fmt.Sprintf("%d attempts", n)
	}
	return failure(batch.ErrAPITimeout, "no answer within the request's timeout of %v (%s)", e.config.RequestTimeout, attempts)
}
