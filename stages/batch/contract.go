package batch

import "context"

// A Source yields the requests of a run.
//
// The engine calls Next from one goroutine and closes the source when the run ends. ctx ends when the run takes no more
// requests; a Next that doesn't notice is abandoned, and Close is then called while it still blocks.
type Source interface {
	// Next returns the next item, or io.EOF after the last. It may block until there is one or ctx ends. A record that
	// can't be read is an item whose Result is set, so that the run goes on; a returned error ends the run.
	Next(ctx context.Context) (*Item, error)
	// Close frees what the source holds.
	Close() error
}

// A Stage does something to items on their way. It ranges over in until it is closed, sends each item it received exactly
// once (the same pointer) and returns. It never closes out. To keep an item from the sink, a stage calls [Item.Drop] and
// sends it on all the same: an item that is never sent breaks the run when it ends.
//
// ctx bounds the work, not the delivery: when it ends, a stage still passes on what it receives. A returned error means
// that the run is broken, not that one item failed; a failed item carries its failure in its Result.
//
// Most stages are written with stages.Map.
type Stage func(ctx context.Context, in <-chan *Item, out chan<- *Item) error

// A Sink takes the results of a run, in the order in which they finish.
//
// When Write returns nil, the results are as safe as this sink ever makes them; only then are their items acknowledged.
// Write is called from one goroutine, with as many results as are ready: one when it is quiet, many under load. The slice
// is valid only during Write, the results beyond it; they are not the sink's to change. After Write has returned an error
// it is not called again.
//
// A sink never closes a writer or a channel that the caller gave it.
type Sink interface {
	// Write delivers results. ctx outlives the run's cancellation by the run's grace period, so that work already paid
	// for can be written.
	Write(ctx context.Context, results []*Result) error
	// Close completes the output. The engine calls it once, after the last Write, also when the run broke.
	Close(ctx context.Context) error
}

type drainKey struct{}

// WithDrain returns a context that carries the signal of an orderly end; see [Draining]. Under it a run drains when the
// channel is closed, and other runs go on.
func WithDrain(ctx context.Context, drain <-chan struct{}) context.Context {
	return context.WithValue(ctx, drainKey{}, drain)
}

// Draining returns a channel that is closed when the run is asked to end in good order: what is in flight finishes, and
// what waits (for a retry, a rate limit, its first call) is left for a later run. It is nil where nobody can ask.
func Draining(ctx context.Context) <-chan struct{} {
	drain, _ := ctx.Value(drainKey{}).(<-chan struct{})
	return drain
}
