package pipeline

import (
	"context"
	"fmt"
	"time"

	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// BatchProcessor runs batches of requests with one configuration. It is safe for concurrent use: MaxConcurrent and the rate
// limits hold over all its runs together. Close it when it is no longer needed.
type BatchProcessor struct {
	config *Config
	schema *stages.Schema // nil: none
	models *models
	drain  *drain
}

// NewBatchProcessor returns a processor. Its error names the field of the configuration that is wrong, or what is missing:
// an unknown provider, a key. nil is the default configuration. cfg is copied.
func NewBatchProcessor(cfg *Config) (*BatchProcessor, error) {
	config := cfg.withDefaults()
	if err := config.validate(); err != nil {
		return nil, err
	}
	var schema *stages.Schema
	if config.Schema != nil {
		var err error
		if schema, err = stages.NewSchema(config.Schema); err != nil {
			return nil, &ConfigError{"Schema", err}
		}
	}
	models, err := newModels(config)
	if err != nil {
		return nil, err
	}
	return &BatchProcessor{config: config, schema: schema, models: models, drain: newDrain()}, nil
}

// Process runs the requests and returns when all are done, with their results in the requests' order; under [batch.Skip] the
// successes only. The requests must not change meanwhile. The response is never nil. The error is nil unless the run was
// cancelled, stopped or broke; under [batch.FailFast] it is the first failure, a [*batch.RequestError]. Beside an error, the
// response has what became of the requests that were begun. A run that drained has no error: UnfinishedRequests counts what it
// left of the requests it took.
func (p *BatchProcessor) Process(ctx context.Context, requests []batch.Request) (*batch.Response, error) {
	collected := memory{onlySuccesses: p.config.ErrorStrategy == batch.Skip}
	summary, err := p.Run(ctx, source.Slice(requests), &collected)
	return &batch.Response{Results: collected.inOrder(), Summary: *summary}, err
}

// Run moves requests from source to sink until the source ends, and closes both. The summary is never nil; the error is as
// for [BatchProcessor.Process]. Unfinished results are counted and reach no sink.
//
// A sink that knows what an earlier run has done ([stages.Index]) continues it: those requests are dropped as
// [stages.DoneEarlier], and if it can tell their counts (Earlier), the summary speaks of both runs.
//
// Config.AbortAfter stops a run in which everything fails, but for one under [batch.FailFast], which the first failure ends: it
// takes no more requests, calls in flight finish and are delivered, and the rest is left unfinished for a later run, the
// failure that stopped it and those like it included. The error says why, with that failure in its chain. Other runs of the
// processor go on.
//
// A drain signal that ctx carries ([batch.WithDrain]) ends this run in good order, as Drain ends all of them.
func (p *BatchProcessor) Run(ctx context.Context, src batch.Source, sink batch.Sink) (*batch.Summary, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if p.config.Deadline > 0 {
		deadline, stop := context.WithTimeoutCause(ctx, p.config.Deadline, deadlineError(p.config.Deadline))
		defer stop()
		ctx = deadline
	}
	engine := p.engine()
	defer engine.drain.end()
	engine.Ordered = p.config.Ordered
	engine.stall = newStall(p.config.MaxPending)
	defer engine.stall.close()
	tracker := new(stages.Tracker)
	report := newReporter(p.config, src, gauges{p.models.permits.InFlight, p.models.pool.Paused, tracker.Slowest})
	defer report.close()
	if p.config.OnProgress != nil || p.config.ShowProgress {
		engine.OnDelivery = report.update
	}
	if _, ok := sink.(*streamed); ok {
		engine.MaxBatch = 1 // each is acknowledged by itself
	}
	summary, err := engine.Run(ctx, src, sink, p.chain(sink, engine, tracker, cancel)...)
	addEarlier(summary, sink)
	return summary, err
}

// deadlineError is the cause with which a run's deadline cancels it. It is a [context.DeadlineExceeded].
type deadlineError time.Duration

func (e deadlineError) Error() string {
	return fmt.Sprintf("the run's deadline of %v has passed", time.Duration(e))
}

func (e deadlineError) Is(target error) bool { return target == context.DeadlineExceeded }

// Check validates what the source yields, as Run would, and calls no model. Each item is handed to each, in order and from one
// goroutine: with a Result where it is bad, with Effective where it would be sent, dropped where sink says that an earlier
// run has done it. An error of each ends the check; each may be nil. Check closes the source; sink may be nil, is only asked,
// and stays open.
func (p *BatchProcessor) Check(
	ctx context.Context, src batch.Source, sink batch.Sink, each func(*batch.Item) error,
) (*batch.Summary, error) {
	inspect := func(_ context.Context, in <-chan *batch.Item, out chan<- *batch.Item) error {
		for item := range in {
			var err error
			if each != nil {
				err = each(item)
			}
			if item.Result == nil && item.Dropped() == "" {
				item.Drop(Checked)
			}
			out <- item
			if err != nil {
				return err
			}
		}
		return nil
	}
	engine := p.engine()
	defer engine.drain.end()
	summary, err := engine.Run(ctx, src, nowhere{}, append(p.before(sink), inspect)...)
	addEarlier(summary, sink)
	return summary, err
}

// Checked is the reason with which [BatchProcessor.Check] drops requests that could be sent.
const Checked = "checked"

// maxBuffer bounds the channels' buffers, and with them what is finished and not yet written.
const maxBuffer = 16

func (p *BatchProcessor) engine() *Engine {
	n := p.config.MaxConcurrent
	return &Engine{
		MaxPending: p.config.MaxPending, Grace: p.config.Grace,
		Buffer: min(n/8, maxBuffer), MaxBatch: min(max(n/4, 1), 64),
		drain: p.drain.child(),
	}
}

// Drain ends all runs in good order, those to come included: they take nothing more from their sources, calls in flight finish
// and are delivered, and what waits (for its first call, a rate limit, a retry) is left unfinished for a later run. It
// doesn't wait, and may be called any number of times.
func (p *BatchProcessor) Drain() { p.drain.begin() }

// BaseURL returns where the calls of the configured model go; "" with a Completer of the caller's.
func (p *BatchProcessor) BaseURL() string { return p.models.baseURL }

// InFlight returns how many model calls are in flight now, over all runs of the processor.
func (p *BatchProcessor) InFlight() int { return p.models.permits.InFlight() }

// Close frees connections, and the server of a mock model. It must not be called while something runs.
func (p *BatchProcessor) Close() error { return p.models.Close() }

func addEarlier(summary *batch.Summary, sink batch.Sink) {
	earlier, ok := sink.(interface{ Earlier() batch.Summary })
	if !ok {
		return
	}
	counts := earlier.Earlier()
	// Those taken from the source again are among the earlier ones already.
	summary.TotalRequests += counts.SuccessfulRequests + counts.FailedRequests - summary.DroppedRequests[stages.DoneEarlier]
	counts.TotalRequests = 0
	summary.Merge(&counts)
}
