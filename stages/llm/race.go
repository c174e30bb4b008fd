package llm

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/sourcegraph/conc/panics"
)

var (
	errOutrun    = errors.New("the other call for the same answer was quicker")
	errCalledOff = errors.New("the call that it was to replace begins anew")
)

// race is one call under [Hedge]: a first leg, which runs in the caller's goroutine, and beside it, once that is slow, a
// second one, which a timer starts.
type race struct {
	hedger    *hedger
	call      *Call
	first     *Call // the first leg's copy: it writes to it
	stopFirst context.CancelCauseFunc
	delay     time.Duration  // 0: no second leg
	entered   time.Time      // when the call was made
	pending   sync.WaitGroup // what the timer has started or will start

	mu        sync.Mutex
	timer     *time.Timer // nil where there is to be no second leg
	began     time.Time   // when the first leg began, as far as is known
	announced bool        // it said so
	over      bool        // the first leg has returned
	good      bool        // with an answer
	second    *leg        // nil while there is none, and when it was called off
	hedges    int         // second legs that were made, not only planned
	winner    *Answer     // the second leg's, where it came first or alone
	waited    time.Duration
	spent     use // by second legs that didn't win
}

// leg is the second leg of a race.
type leg struct {
	call      *Call // its own copy
	stop      context.CancelCauseFunc
	began     time.Time
	announced bool
	before    time.Duration // how long the first leg had waited until it began
}

func newRace(h *hedger, call *Call, stopFirst context.CancelCauseFunc) *race {
	now := time.Now()
	return &race{
		hedger: h, call: call, first: copyOf(call), stopFirst: stopFirst, delay: h.delayOf(call), entered: now, began: now,
	}
}

// copyOf returns what a leg may write to.
func copyOf(call *Call) *Call {
	own := *call
	own.Waited, own.Hedges = 0, 0
	return &own
}

func (r *race) start(runSecond func()) {
	if r.delay == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pending.Add(1)
	r.timer = time.AfterFunc(r.delay, runSecond)
}

// firstStarts starts the clock anew. A second leg that has not begun yet is called off: it was the wait that was long.
func (r *race) firstStarts() {
	r.hedger.heard()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.began, r.announced = time.Now(), true
	if r.timer == nil || r.over {
		return
	}
	if r.second != nil {
		if r.second.announced {
			return
		}
		r.second.stop(errCalledOff)
		r.second = nil
	}
	if !r.timer.Reset(r.delay) {
		r.pending.Add(1)
	}
}

// firstAnswered gives up a second leg that has not begun: what it waits for may come free now.
func (r *race) firstAnswered() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = true
	if r.second != nil && !r.begun(r.second) {
		r.second.stop(errOutrun)
	}
}

// firstReturned ends the race, and returns when the second leg has: at once, but where the first leg failed in a way that
// the second one may not, and that one has begun.
func (r *race) firstReturned(good, hopeless bool) {
	r.mu.Lock()
	r.over, r.good = true, good
	if r.timer != nil && r.timer.Stop() {
		r.pending.Done()
	}
	if r.second != nil && (good || hopeless || r.winner != nil || !r.begun(r.second)) {
		r.second.stop(errOutrun)
	}
	if good || r.winner != nil { // one that was cut short counts too, or slow calls would seem ever rarer
		r.hedger.took(r.call.Model, time.Since(r.began))
	}
	r.mu.Unlock()
	r.pending.Wait()
}

// runSecond is the second leg, from the time when the first is slow.
func (r *race) runSecond(ctx context.Context) {
	defer r.pending.Done()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	l := r.launch(stop)
	if l == nil {
		return
	}
	var answer *Answer
	var spent use
	good := false
	defer func() { r.secondReturned(l, answer, good, spent) }()
	panics.Try(func() {
		var err error
		announced := &legContext{ctx, func() { r.secondStarts(l) }, nil}
		answer, err = r.hedger.next.Complete(announced, l.call) //nolint:contextcheck // announced is made from ctx
		spent, good = used(answer, err), answer != nil && err == nil
	})
}

// launch returns the second leg, or nil where there is to be none.
func (r *race) launch(stop context.CancelCauseFunc) *leg {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	switch {
	case r.over, r.second != nil:
		return nil
	case now.Sub(r.began) < r.delay: // it began anew just when its time was up
		return nil
	case !r.announced && r.hedger.hears(): // it waits
		return nil
	case !r.hedger.spend(): // it may be slow enough still when there is a hedge again
		if !r.timer.Reset(r.delay) { // which firstStarts may have done already
			r.pending.Add(1)
		}
		return nil
	}
	own := copyOf(r.call)
	if own.Timeout > 0 { // the caller doesn't wait for longer than that
		own.Timeout = max(own.Timeout-now.Sub(r.began), 1)
	}
	r.second = &leg{call: own, stop: stop, began: now, before: r.began.Sub(r.entered)}
	return r.second
}

// begun tells whether a second leg has passed its limits. Where nothing tells of limits, there are none.
func (r *race) begun(l *leg) bool { return l.announced || !r.announced }

func (r *race) secondStarts(l *leg) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.second == l && !r.over {
		l.began, l.announced = time.Now(), true
	}
}

func (r *race) secondReturned(l *leg, answer *Answer, good bool, spent use) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.begun(l) && !good {
		r.hedger.refund()
		return
	}
	r.hedges++
	if !good || r.good || r.winner != nil {
		r.spent.add(spent)
		return
	}
	r.winner, r.waited = answer, l.before+l.call.Waited
	r.hedger.took(r.call.Model, time.Since(l.began))
	r.stopFirst(errOutrun)
}

// result returns what the caller gets, once both legs have returned: the first one's outcome, but for the second's answer
// where that won.
func (r *race) result(ctx context.Context, answer *Answer, err error) (*Answer, error) {
	r.call.Hedges += r.hedges
	if r.winner != nil {
		r.call.Waited += r.waited
		spent := used(answer, err)
		spent.add(r.spent)
		spent.addToAnswer(r.winner)
		return r.winner, nil
	}
	r.call.Waited += r.first.Waited
	if err != nil {
		return nil, r.spent.addToError(ctx, err)
	}
	if answer != nil {
		r.spent.addToAnswer(answer)
	}
	return answer, nil
}
