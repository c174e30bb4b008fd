package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
)

var errChaos = errors.New("chaos")

// fault is what goes wrong in one part of a chaotic run.
type fault int

const (
	none          fault = iota
	fails               // returns an error
	panicking           // panics
	stalls              // blocks for an hour, or until its context ends
	ignoresCtx          // blocks for an hour, whatever its context says
	yieldsNothing       // a source yields neither an item nor an error
	writesShort         // a sink's disk is full in the midst of a Write
	endsEarly           // a stage returns nil before its input has ended
	swallows            // a stage keeps one item
	doubles             // a stage sends one item twice
)

// world is one chaotic run: what is drawn for it, and what happened.
type world struct {
	n                            int // items the source has
	maxPending, buffer, maxBatch int
	ordered                      bool
	sourceFault, sinkFault       fault
	sourceCloseFault             fault
	sinkCloseFault               fault
	ackPanics                    bool
	sourceAt, sinkAt             int // the item or Write at which it strikes
	stageFault                   fault
	stageAt                      int
	stagePlace                   int // before or after the working stage
	sourceSlow, workSlow         time.Duration
	sinkSlow                     time.Duration
	cancelAt, drainAt            time.Duration // 0: never
	failEvery, dropEvery         int           // 0: never
	seed                         uint64

	mu           sync.Mutex
	taken        []*batch.Item
	acks         map[*batch.Item][]bool
	written      []int64
	results      []*batch.Result
	outstanding  int
	mostAtOnce   int
	writes       int
	sinkBroke    bool
	sourceClosed int
	sinkClosed   int
	problems     []string
}

func drawWorld(t *rapid.T) *world {
	duration := func(name string) time.Duration {
		return time.Duration(rapid.IntRange(0, 30).Draw(t, name)) * time.Millisecond
	}
	w := &world{
		n:          rapid.IntRange(0, 60).Draw(t, "n"),
		maxPending: rapid.IntRange(1, 20).Draw(t, "maxPending"),
		buffer:     rapid.IntRange(0, 4).Draw(t, "buffer"),
		maxBatch:   rapid.IntRange(1, 8).Draw(t, "maxBatch"),
		ordered:    rapid.Bool().Draw(t, "ordered"),
		sourceSlow: duration("sourceSlow"), workSlow: duration("workSlow"), sinkSlow: duration("sinkSlow"),
		failEvery: rapid.IntRange(0, 5).Draw(t, "failEvery"),
		dropEvery: rapid.IntRange(0, 7).Draw(t, "dropEvery"),
		seed:      rapid.Uint64().Draw(t, "seed"),
		acks:      make(map[*batch.Item][]bool),
	}
	w.sourceFault = rapid.SampledFrom([]fault{
		none, none, none, none, fails, panicking, stalls, ignoresCtx, yieldsNothing,
	}).Draw(t, "sourceFault")
	w.sourceAt = rapid.IntRange(0, 60).Draw(t, "sourceAt")
	w.sinkFault = rapid.SampledFrom([]fault{
		none, none, none, none, fails, panicking, stalls, ignoresCtx, writesShort,
	}).Draw(t, "sinkFault")
	w.sinkAt = rapid.IntRange(1, 30).Draw(t, "sinkAt")
	w.stageFault = rapid.SampledFrom([]fault{none, none, fails, panicking, endsEarly, swallows, doubles}).Draw(t, "stageFault")
	w.stageAt = rapid.IntRange(0, 60).Draw(t, "stageAt")
	w.stagePlace = rapid.IntRange(0, 1).Draw(t, "stagePlace")
	closing := rapid.SampledFrom([]fault{none, none, none, none, none, none, fails, panicking, stalls, ignoresCtx})
	w.sourceCloseFault, w.sinkCloseFault = closing.Draw(t, "sourceCloseFault"), closing.Draw(t, "sinkCloseFault")
	w.ackPanics = rapid.IntRange(0, 9).Draw(t, "ackPanics") == 0
	if rapid.IntRange(0, 3).Draw(t, "cancels") == 0 {
		w.cancelAt = time.Duration(rapid.IntRange(1, 500).Draw(t, "cancelAt")) * time.Millisecond
	}
	if rapid.IntRange(0, 3).Draw(t, "drains") == 0 {
		w.drainAt = time.Duration(rapid.IntRange(1, 500).Draw(t, "drainAt")) * time.Millisecond
	}
	return w
}

func (w *world) withoutFaults() {
	w.sourceFault, w.sinkFault, w.stageFault, w.cancelAt, w.drainAt = none, none, none, 0, 0
	w.sourceCloseFault, w.sinkCloseFault, w.ackPanics = none, none, false
}

func (w *world) problem(format string, args ...any) {
	w.problems = append(w.problems, fmt.Sprintf(format, args...))
}

func (w *world) chain(stall *stall) []batch.Stage {
	chaotic := watched("chaotic", stall, w.chaotic)
	if w.stagePlace == 0 {
		return []batch.Stage{chaotic, w.work}
	}
	return []batch.Stage{w.work, chaotic}
}

// run runs the world to its end, inside a bubble, and checks what must hold whatever went wrong.
func (w *world) run() error {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	e := &Engine{MaxPending: w.maxPending, Buffer: w.buffer, MaxBatch: w.maxBatch, Ordered: w.ordered, Grace: time.Minute}
	e.stall = newStall(w.maxPending)
	defer e.stall.close()
	if w.cancelAt > 0 {
		time.AfterFunc(w.cancelAt, func() { cancel(errors.New("cancelled by the test")) })
	}
	if w.drainAt > 0 {
		time.AfterFunc(w.drainAt, e.Drain)
	}
	summary, err := e.Run(ctx, chaosSource{w}, chaosSink{w}, w.chain(e.stall)...)
	time.Sleep(3 * time.Hour) // an abandoned Next has returned by now
	w.check(summary, err)
	return err
}

func (w *world) check(s *batch.Summary, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.sourceClosed != 1 || w.sinkClosed != 1 {
		w.problem("source closed %d times, sink %d times", w.sourceClosed, w.sinkClosed)
	}
	if w.mostAtOnce > w.maxPending {
		w.problem("%d items were in work at once, at most %d may", w.mostAtOnce, w.maxPending)
	}
	written := make(map[int64]bool)
	for _, index := range w.written {
		if written[index] {
			w.problem("result %d was written twice", index)
		}
		written[index] = true
	}
	if w.ordered && !slices.IsSorted(w.written) {
		w.problem("written out of order: %v", w.written)
	}
	for i, item := range w.taken {
		acks := w.acks[item]
		if len(acks) != 1 {
			w.problem("item %d was acknowledged %d times: %v", i, len(acks), acks)
			continue
		}
		if done := written[int64(i)] || item.Dropped() != ""; acks[0] != done {
			w.problem("item %d: acknowledged with %v, written %v, dropped %q", i, acks[0], written[int64(i)], item.Dropped())
		}
	}
	dropped, skipped := 0, 0
	for _, n := range s.DroppedRequests {
		dropped += n
	}
	for _, item := range w.taken {
		if item.Dropped() == stages.Skipped {
			skipped++
		}
	}
	if s.SuccessfulRequests+s.FailedRequests+dropped != s.TotalRequests {
		w.problem("the counts don't add up: %+v", *s)
	}
	if finished := s.SuccessfulRequests + s.FailedRequests - s.UnfinishedRequests; finished != len(w.written)+skipped {
		w.problem("%d finished, %d written, %d skipped", finished, len(w.written), skipped)
	}
	// An item that an abandoned Next yields later was never taken.
	tooLate := w.sourceFault == ignoresCtx && s.TotalRequests == len(w.taken)-1
	if taken := len(w.taken); s.TotalRequests != taken && !tooLate {
		w.problem("%d taken, %d counted", taken, s.TotalRequests)
	}
	if delivered := len(w.written) + dropped + skipped; err == nil && w.drainAt == 0 && delivered != w.n {
		w.problem("no error, and yet %d of %d items delivered", delivered, w.n)
	}
}

func TestWhateverGoesWrongEachItemEndsExactlyOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := drawWorld(rt)
		synctest.Test(t, func(*testing.T) { _ = w.run() })
		for _, problem := range w.problems {
			rt.Error(problem)
		}
	})
}

func TestARunWithoutFaultsDeliversEverything(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := drawWorld(rt)
		w.withoutFaults()
		var err error
		synctest.Test(t, func(*testing.T) { err = w.run() })
		if err != nil {
			rt.Errorf("unexpected error: %v", err)
		}
		for _, problem := range w.problems {
			rt.Error(problem)
		}
	})
}

func TestAFaultThatStruckIsReturned(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := drawWorld(rt)
		w.n, w.dropEvery, w.failEvery = 40, 0, 0
		w.cancelAt, w.drainAt = 0, 0
		w.sourceAt, w.stageAt, w.sinkAt = w.sourceAt%40, w.stageAt%39, 1+w.sinkAt%5 // a stage that ends at the last item ends in time
		var err error
		synctest.Test(t, func(*testing.T) { err = w.run() })
		harmless := w.stageFault == none && !w.ackPanics
		for _, f := range []fault{w.sourceFault, w.sinkFault, w.sourceCloseFault, w.sinkCloseFault} {
			harmless = harmless && (f == none || f == stalls || f == ignoresCtx)
		}
		if harmless != (err == nil) {
			rt.Errorf("harmless: %v, error: %v", harmless, err)
		}
		for _, problem := range w.problems {
			rt.Error(problem)
		}
	})
}
