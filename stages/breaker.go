package stages

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

// Breaker makes the stage that stops a run in which everything fails, before it goes through the rest of its requests. It
// stands behind retry, since a failure counts only when it is final, and before [Collect].
//
// It trips at once on a failure that no other call can escape ([llm.Error.Fatal]: every key is refused, the credit is spent),
// and when abortAfter failures of one kind have come without a success in between. Each kind is counted by itself. Results
// that no model was asked for don't count, and unfinished ones neither.
//
// When it trips it calls stop, once, with the error that says why: that should drain the run, so that what is in flight, and
// paid for, is still delivered. From that failure on, the failures of its kind, and those that no call can escape, become
// unfinished: a later run does these requests again. When its input has ended, the stage returns that error, which has the
// failure in its chain. Each run has a count of its own. abortAfter below 1 panics, and so does a nil stop.
func Breaker(abortAfter int, stop func(error)) batch.Stage {
	if abortAfter < 1 || stop == nil {
		panic("gluepipe: stages.Breaker needs abortAfter of 1 or more, and stop")
	}
	return func(_ context.Context, in <-chan *batch.Item, out chan<- *batch.Item) error {
		b := breaker{abortAfter: abortAfter, stop: stop, failures: make(map[batch.ErrorKind]int)}
		for item := range in {
			b.see(item)
			out <- item
		}
		return b.tripped
	}
}

// breaker is the stage at work in one run.
type breaker struct {
	abortAfter int
	stop       func(error)
	failures   map[batch.ErrorKind]int // since the last success
	tripped    error                   // why
	kind       batch.ErrorKind         // of the failure that tripped it
}

func (b *breaker) see(item *batch.Item) {
	r := item.Result
	switch {
	case r == nil || r.Attempts == 0 || r.Unfinished():
		return
	case r.Success:
		clear(b.failures)
		return
	}
	cause := causeOf(r)
	if b.tripped == nil && !b.trips(r.ErrorType, cause) {
		return
	}
	// A dropped item is done, whatever its result says.
	if item.Dropped() == "" && (r.ErrorType == b.kind || isFatal(cause)) {
		item.Fail(batch.ErrCancelled.Errorf("left for a later run: %w", cause))
	}
}

// trips counts a failure, and tells whether it is the one that stops the run.
func (b *breaker) trips(kind batch.ErrorKind, cause error) bool {
	b.failures[kind]++
	n := b.failures[kind]
	switch {
	case isFatal(cause):
		b.tripped = fmt.Errorf("stopped: %w", cause)
	case n >= b.abortAfter:
		b.tripped = fmt.Errorf("stopped after %s without a success: %s: %w", inARow(n), string(kind), cause)
	default:
		return false
	}
	b.kind = kind
	b.stop(b.tripped)
	return true
}

func inARow(failures int) string {
	if failures == 1 {
		return "a failure"
	}
	return fmt.Sprintf("%d failures in a row", failures)
}

// isFatal tells a failure that every other call would meet.
func isFatal(err error) bool {
	failure, ok := errors.AsType[*llm.Error](err)
	return ok && failure.Fatal
}

// causeOf returns what went wrong, without the name of the request. A failure need not have an Err: stages of the caller's may
// set the other fields alone.
func causeOf(r *batch.Result) error {
	failure, ok := r.Err.(*batch.RequestError) //nolint:errorlint // SetError puts it there unwrapped
	switch {
	case ok && failure.Err != nil:
		return failure.Err
	case r.Err != nil:
		return r.Err
	}
	return errors.New(cmp.Or(r.Error, "the request failed"))
}
