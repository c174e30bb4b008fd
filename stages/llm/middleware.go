package llm

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// forever stands for a wait that only a change ends.
const forever time.Duration = math.MaxInt64

// errWaitedTooLong ends a wait that used up what [Park] allows.
var errWaitedTooLong = errors.New("waited too long for a rate limit")

// hold is why a call can't start yet.
type hold struct {
	wait    time.Duration // until another try may help, unless something changes before; 0 or less: it can start
	limited bool          // by the provider, rather than by what else is in flight
	permit  bool          // it waits for nothing but a permit
}

var noPermit = hold{wait: forever, permit: true}

// line is where calls wait to start, in the order in which they came. Only the call at its head watches the clock, so that a
// thousand waiting calls wake no more goroutines than one.
type line struct {
	turn    chan struct{} // held by the call at the head
	changed chan struct{} // tells the head to try again
	waiting atomic.Int32
	permits *Permits // that the call at the head needs, too; nil: none

	mu      sync.Mutex
	limited time.Duration // for how long the provider's limits have held back the head, over all that were there
	since   time.Time     // they have again, since then; zero: they don't
}

func newLine(permits *Permits) *line {
	return &line{turn: make(chan struct{}, 1), changed: make(chan struct{}, 1), permits: permits}
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

// held notes whether the provider's limits hold back the head.
func (q *line) held(limited bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	if !q.since.IsZero() {
		q.limited += now.Sub(q.since)
		q.since = time.Time{}
	}
	if limited {
		q.since = now
	}
}

// limitedFor returns for how long the provider's limits have held back the line so far, and whether they do now.
func (q *line) limitedFor() (total time.Duration, now bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.since.IsZero() {
		return q.limited, false
	}
	return q.limited + time.Since(q.since), true
}

// wait blocks until try, called at the head of the line only, finds that nothing holds the call back, or returns an error. It
// ends early when ctx ends, when the run drains while a limit holds the line back, and when limits have held the call back
// for as long as [Park] allows.
func (q *line) wait(ctx context.Context, call *Call, try func() (hold, error)) error {
	q.waiting.Add(1)
	defer q.waiting.Add(-1)
	began := time.Now()
	defer func() { call.Waited += time.Since(began) }()
	patience := q.patience(parkOf(ctx))
	defer patience.book()
	timer := time.NewTimer(forever)
	defer timer.Stop()
	var (
		turn           = q.turn        // until the call has it
		changed, drain <-chan struct{} // from then on
		draining       bool
	)
	for {
		select {
		case turn <- struct{}{}:
			defer func() {
				q.held(false)
				q.permits.withdraw(q)
				<-q.turn
			}()
			turn, changed, drain = nil, q.changed, batch.Draining(ctx)
		case <-timer.C:
		case <-changed:
		case <-drain:
			draining, drain = true, nil
		case <-ctx.Done():
		case <-patience.end():
			return batch.ErrRateLimit.Wrap(errWaitedTooLong)
		}
		if ctx.Err() != nil { // even where the call's turn came at the same moment
			return cancelled(ctx, "waiting to start")
		}
		held, err := try()
		if err != nil || held.wait <= 0 {
			return err
		}
		if held.limited && draining {
			return leftForLater()
		}
		q.held(held.limited)
		if !held.permit {
			q.permits.withdraw(q)
		}
		timer.Reset(held.wait)
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
