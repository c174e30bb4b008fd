package pipeline

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sourcegraph/conc/panics"

	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// run is one run of an engine. Three parties share it: the intake, which takes items from the source while there are
// credits; the stages; and the delivery, which gives finished items to the sink and their credits back.
type run struct {
	engine *Engine
	source batch.Source
	sink   batch.Sink
	begin  time.Time

	drain      *drain          // ends the run in good order
	ctx        context.Context // of the work; it carries drain's signal
	cancelWork context.CancelCauseFunc
	intake     context.Context // ends when nothing more is taken
	endIntake  context.CancelFunc
	sinkCtx    context.Context
	endSink    context.CancelFunc
	outerDrain <-chan struct{} // the caller's; nil where there is none

	credits chan struct{}    // one an item between source and sink
	in      chan *batch.Item // to the first stage
	out     chan *batch.Item // from the last stage
	ledger  ledger

	mu   sync.Mutex
	errs []error // what broke the run
}

func newRun(ctx context.Context, e *Engine, source batch.Source, sink batch.Sink) *run {
	r := &run{
		engine: e, source: source, sink: sink, begin: time.Now(), drain: e.drainer().child(), outerDrain: batch.Draining(ctx),
		credits: make(chan struct{}, e.maxPending()),
		in:      make(chan *batch.Item, e.Buffer),
		out:     make(chan *batch.Item, e.Buffer),
	}
	r.ledger.init(e.maxPending())
	r.ctx, r.cancelWork = context.WithCancelCause(batch.WithDrain(ctx, r.drain.begun))
	r.intake, r.endIntake = context.WithCancel(r.ctx)
	r.sinkCtx, r.endSink = context.WithCancel(context.WithoutCancel(ctx))
	select { // a drain from before the run began: it takes nothing at all
	case <-r.outerDrain:
		r.drain.begin()
		r.endIntake()
	case <-r.drain.begun:
		r.endIntake()
	default:
	}
	return r
}

func (r *run) run(chain []batch.Stage) (*batch.Summary, error) {
	defer r.watch()()
	var wg sync.WaitGroup
	wg.Go(r.takeIn)
	wg.Go(func() {
		defer close(r.out)
		_ = stages.Connect(r.ctx, chain, r.engine.Buffer, r.in, r.out, r.broke) // broke has the errors already
	})
	d := newDelivery(r)
	d.deliverAll()
	wg.Wait()
	r.close()
	d.summary.TotalRequests = r.ledger.count()
	d.summary.WallTime = time.Since(r.begin)
	return &d.summary, r.err()
}

// watch ends intake when the run drains, and the sink's context a grace period after the work's. What it returns ends the
// watching and waits for it.
func (r *run) watch() (stop func()) {
	over := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		outerDrain, drain := r.outerDrain, r.drain.begun
		var grace <-chan time.Time
		cancelled := r.ctx.Done()
		for {
			select {
			case <-over:
				return
			case <-outerDrain:
				outerDrain = nil
				r.drain.begin()
			case <-drain:
				drain = nil
				r.endIntake()
			case <-cancelled:
				cancelled = nil
				timer := time.NewTimer(r.engine.grace())
				defer timer.Stop()
				grace = timer.C
			case <-grace:
				grace = nil
				r.endSink()
			}
		}
	})
	return func() {
		close(over)
		wg.Wait()
		r.cancelWork(nil)
		r.endIntake()
		r.endSink()
		r.drain.end()
	}
}

// broke notes an error that breaks the run, and ends intake.
func (r *run) broke(err error) {
	r.mu.Lock()
	r.errs = append(r.errs, err)
	r.mu.Unlock()
	r.endIntake()
}

func (r *run) close() {
	if err := guard("closing the sink", func() error { return r.sink.Close(r.sinkCtx) }); err != nil {
		r.broke(err)
	}
	if err := guard("closing the source", r.source.Close); err != nil {
		r.broke(err)
	}
}

// err returns why the run ended before its source did.
func (r *run) err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	errs := r.errs
	if cause := context.Cause(r.ctx); cause != nil && !errors.Is(errors.Join(errs...), cause) {
		errs = append([]error{cause}, errs...)
	}
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}

// guard calls a source's or sink's method and turns a panic into an error.
func guard(doing string, call func() error) error {
	var err error
	if recovered := panics.Try(func() { err = call() }); recovered != nil {
		return fmt.Errorf("panic while %s: %w", doing, recovered.AsError())
	}
	return err
}
