package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
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
	none       fault = iota
	fails            // returns an error
	panicking        // panics
	endsEarly        // a stage returns nil before its input has ended; a source ends
	ignoresCtx       // blocks for an hour, whatever its context says
	swallows         // a stage keeps one item
	doubles          // a stage sends one item twice
)

// world is one chaotic run: what is drawn for it, and what happened.
type world struct {
	n                            int // items the source has
	maxPending, buffer, maxBatch int
	ordered                      bool
	sourceFault, sinkFault       fault
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
	outstanding  int
	mostAtOnce   int
	writes       int
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
	w.sourceFault = rapid.SampledFrom([]fault{none, none, none, fails, panicking, ignoresCtx}).Draw(t, "sourceFault")
	w.sourceAt = rapid.IntRange(0, 60).Draw(t, "sourceAt")
	w.sinkFault = rapid.SampledFrom([]fault{none, none, none, fails, panicking, ignoresCtx}).Draw(t, "sinkFault")
	w.sinkAt = rapid.IntRange(1, 30).Draw(t, "sinkAt")
	w.stageFault = rapid.SampledFrom([]fault{none, none, fails, panicking, endsEarly, swallows, doubles}).Draw(t, "stageFault")
	w.stageAt = rapid.IntRange(0, 60).Draw(t, "stageAt")
	w.stagePlace = rapid.IntRange(0, 1).Draw(t, "stagePlace")
	if rapid.IntRange(0, 3).Draw(t, "cancels") == 0 {
		w.cancelAt = time.Duration(rapid.IntRange(1, 500).Draw(t, "cancelAt")) * time.Millisecond
	}
	if rapid.IntRange(0, 3).Draw(t, "drains") == 0 {
		w.drainAt = time.Duration(rapid.IntRange(1, 500).Draw(t, "drainAt")) * time.Millisecond
	}
	return w
}

func (w *world) problem(format string, args ...any) {
	w.problems = append(w.problems, fmt.Sprintf(format, args...))
}

// The world is its own source and sink.

func (w *world) Next(ctx context.Context) (*batch.Item, error) {
	time.Sleep(w.sourceSlow)
	w.mu.Lock()
	k := len(w.taken)
	w.mu.Unlock()
	if k == w.sourceAt {
		switch w.sourceFault {
		case fails:
			return nil, errChaos
		case panicking:
			panic("chaos")
		case ignoresCtx:
			time.Sleep(time.Hour)
		default:
		}
	}
	if k == w.n {
		return nil, io.EOF
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	item := &batch.Item{Origin: fmt.Sprintf("request %d", k+1), Request: &batch.Request{ID: fmt.Sprint(k), UserMessage: "x"}}
	item.Ack = func(done bool) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.acks[item] = append(w.acks[item], done)
		w.outstanding--
	}
	w.taken = append(w.taken, item)
	w.outstanding++
	w.mostAtOnce = max(w.mostAtOnce, w.outstanding)
	return item, nil
}

type chaosSource struct{ *world }

func (s chaosSource) Close() error { s.sourceClosed++; return nil }

type chaosSink struct{ *world }

func (s chaosSink) Close(context.Context) error { s.sinkClosed++; return nil }

func (s chaosSink) Write(_ context.Context, results []*batch.Result) error {
	time.Sleep(s.sinkSlow)
	s.writes++
	if s.writes == s.sinkAt {
		switch s.sinkFault {
		case fails:
			return errChaos
		case panicking:
			panic("chaos")
		case ignoresCtx:
			time.Sleep(time.Hour)
		default:
		}
	}
	if len(results) > s.maxBatch {
		s.problem("a Write of %d results, at most %d were asked for", len(results), s.maxBatch)
	}
	for _, r := range results {
		s.written = append(s.written, r.Index)
		if r.Unfinished() {
			s.problem("result %d is unfinished and reached the sink", r.Index)
		}
	}
	return nil
}

// work is the stage that sets results: several workers, each item taking its time.
func (w *world) work(ctx context.Context, in <-chan *batch.Item, out chan<- *batch.Item) error {
	random := rand.New(rand.NewPCG(w.seed, 0))
	var mu sync.Mutex
	slow := func() time.Duration {
		mu.Lock()
		defer mu.Unlock()
		return time.Duration(random.Int64N(int64(w.workSlow) + 1))
	}
	stage := stages.Map(4, func(ctx context.Context, item *batch.Item) error {
		select {
		case <-time.After(slow()):
		case <-ctx.Done():
			return batch.ErrCancelled.Wrap(context.Cause(ctx))
		}
		switch {
		case w.dropEvery > 0 && int(item.Index)%w.dropEvery == 1:
			item.Drop("not wanted")
		case w.failEvery > 0 && int(item.Index)%w.failEvery == 0:
			return batch.ErrServer.Errorf("item %d", item.Index)
		default:
			item.Settle(&batch.Result{Success: true, Response: "ok"})
		}
		return nil
	})
	return stage(ctx, in, out)
}

// chaotic is a stage of one goroutine that breaks its contract.
func (w *world) chaotic(_ context.Context, in <-chan *batch.Item, out chan<- *batch.Item) error {
	k := 0
	for item := range in {
		strikes := k == w.stageAt
		k++
		if strikes && w.stageFault == swallows {
			continue
		}
		out <- item
		if !strikes {
			continue
		}
		switch w.stageFault {
		case fails:
			return errChaos
		case panicking:
			panic("chaos")
		case endsEarly:
			return nil
		case doubles:
			out <- item
		default:
		}
	}
	return nil
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
	dropped := 0
	for _, n := range s.DroppedRequests {
		dropped += n
	}
	if s.SuccessfulRequests+s.FailedRequests+dropped != s.TotalRequests {
		w.problem("the counts don't add up: %+v", *s)
	}
	if finished := s.SuccessfulRequests + s.FailedRequests - s.UnfinishedRequests; finished != len(w.written) {
		w.problem("%d finished, %d written", finished, len(w.written))
	}
	// An item that an abandoned Next yields later was never taken.
	tooLate := w.sourceFault == ignoresCtx && s.TotalRequests == len(w.taken)-1
	if taken := len(w.taken); s.TotalRequests != taken && !tooLate {
		w.problem("%d taken, %d counted", taken, s.TotalRequests)
	}
	if err == nil && w.drainAt == 0 && len(w.written)+dropped != w.n {
		w.problem("no error, and yet %d of %d items delivered", len(w.written)+dropped, w.n)
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
		w.sourceFault, w.sinkFault, w.stageFault, w.cancelAt, w.drainAt = none, none, none, 0, 0
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
		harmless := (w.sourceFault == none || w.sourceFault == ignoresCtx) && w.stageFault == none &&
			(w.sinkFault == none || w.sinkFault == ignoresCtx)
		if harmless != (err == nil) {
			rt.Errorf("harmless: %v, error: %v", harmless, err)
		}
		for _, problem := range w.problems {
			rt.Error(problem)
		}
	})
}
