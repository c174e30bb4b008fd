package pipeline

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// Engine connects a source, stages and a sink, and runs them. It owns the run's goroutines, channels, cancels and drains:
// stages just range and send. The zero value is ready to use; its fields must not change once a run has begun. It may run
// several times, also at once.
type Engine struct {
	MaxPending int           // items between source and sink; default 256
	Buffer     int           // of each channel between stages; default 0
	MaxBatch   int           // results that one Write of the sink gets; default 64
	Ordered    bool          // deliver in the order of the source
	Grace      time.Duration // how long the sink's context outlives the run's; default 30 seconds
	// OnDelivery is called with the counts so far after each delivery, and every second while there is nothing to deliver, from
	// one goroutine of a run. The summary is valid only during the call. It must not block.
	OnDelivery func(*batch.Summary)

	drainOnce sync.Once
	drain     *drain // set by the processor: it ends with the processor's
	stall     *stall // set by the processor, which watches the caller's stages; else nil
}

// Run moves items from source through stages to sink until the source ends, and closes both. It returns when every goroutine
// has ended, but for a Next that ignores its context: that one is abandoned.
//
// The summary is never nil. The error is nil when the source came to its end or the engine drained; the cause of ctx when it
// was cancelled; else what broke the run: intake stops, what is in flight finishes and is delivered where the sink still
// works. When the sink fails, work in flight is cancelled, since nothing can be delivered any more.
//
// A drain signal that ctx carries ([batch.WithDrain]) ends this run as Drain ends all of them.
//
// Results must be set by the stages: an item that comes through without one breaks the run. So does one that a stage sent
// twice or swallowed; the swallowed are found out when the source has ended, and a stage that swallows MaxPending of them
// stops the run for good. Stages made with stages.Map do neither.
func (e *Engine) Run(
	ctx context.Context, source batch.Source, sink batch.Sink, stages ...batch.Stage,
) (*batch.Summary, error) {
	r := newRun(ctx, e, source, sink)
	return r.run(stages)
}

// Drain ends all runs in good order, those to come included: they take nothing more from their sources, what is in flight
// finishes and is delivered, and what waits is left unfinished for a later run. It doesn't wait. It may be called at any
// time, any number of times.
func (e *Engine) Drain() { e.drainer().begin() }

func (e *Engine) drainer() *drain {
	e.drainOnce.Do(func() {
		if e.drain == nil {
			e.drain = newDrain()
		}
	})
	return e.drain
}

func (e *Engine) maxPending() int      { return cmp.Or(e.MaxPending, minDefaultPending) }
func (e *Engine) maxBatch() int        { return cmp.Or(e.MaxBatch, 64) }
func (e *Engine) grace() time.Duration { return cmp.Or(e.Grace, 30*time.Second) }
