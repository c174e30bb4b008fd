package llm

import (
	"context"
	"errors"
	"math"
	"sync/atomic"
	"time"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// forever stands for a wait that only a change ends.
const forever time.Duration = math.MaxInt64

// errWaitedTooLong ends a wait that used up what [Park] allows.
var errWaitedTooLong = errors.New("waited too long for a rate limit")

// line is where calls wait for a limit, in the order in which they came. Only the call at its head watches the clock, so
// that a thousand waiting calls wake no more goroutines than one.
type line struct {
	turn    chan struct{} // held by the call at the head
	changed chan struct{} // tells the head to try again
	waiting atomic.Int32
}

func newLine() *line {
	return &line{turn: make(chan struct{}, 1), changed: make(chan struct{}, 1)}
}

func (q *line) empty() bool { return q.waiting.Load() == 0 }

// notify has the head try again before its time.
func (q *line) notify() {
	if q.empty() {
		return
	}
	select {
	case q.changed <- struct{}{}:
	default:
	}
}

// wait blocks until try, called at the head of the line only, returns no more time to wait, or an error. It ends early
// when ctx ends, when the run drains, and when the call has waited as long as [Park] allows.
func (q *line) wait(ctx context.Context, call *Call, try func() (time.Duration, error)) error {
	q.waiting.Add(1)
	defer q.waiting.Add(-1)
	park, began := parkOf(ctx), time.Now()
	defer func() {
		waited := time.Since(began)
		call.Waited += waited
		park.add(waited)
	}()
	patience := time.NewTimer(park.left())
	defer patience.Stop()
	drain := batch.Draining(ctx)

	select {
	case q.turn <- struct{}{}:
	case <-ctx.Done():
		return cancelled(ctx, "waiting for a rate limit")
	case <-drain:
		return leftForLater()
	case <-patience.C:
		return batch.ErrRateLimit.Wrap(errWaitedTooLong)
	}
	defer func() { <-q.turn }()

	timer := time.NewTimer(forever)
	defer timer.Stop()
	for {
		wait, err := try()
		if err != nil || wait <= 0 {
			return err
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-q.changed:
		case <-ctx.Done():
			return cancelled(ctx, "waiting for a rate limit")
		case <-drain:
			return leftForLater()
		case <-patience.C:
			return batch.ErrRateLimit.Wrap(errWaitedTooLong)
		}
	}
}

func cancelled(ctx context.Context, doing string) error {
	return batch.ErrCancelled.Errorf("%s: %w", doing, context.Cause(ctx))
}

func leftForLater() error {
	return batch.ErrCancelled.Errorf("left for a later run: the run ends, and the call still waits for a rate limit")
}

// rateLimited tells whether err is a limit that waiting cures, and how long the server asks to wait; 0 if it doesn't.
func rateLimited(err error) (retryAfter time.Duration, ok bool) {
	if err == nil || batch.KindOf(err) != batch.ErrRateLimit {
		return 0, false
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.RetryAfter, true
	}
	return 0, true
}
