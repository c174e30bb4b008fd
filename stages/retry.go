package stages

import (
	"container/heap"
	"context"
	"fmt"
	"math"
	"time"

	"github.com/sourcegraph/conc/pool"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// Retry makes the stage that tries again what failed and can be cured, as the policy says. It goes on where the conversation
// broke: a tool that has run is not run again. An item that backs off holds no worker; those that wait are bounded by what
// the engine admits. When the run drains or ctx ends, what waits becomes unfinished.
//
// A request that could not start again within its timeout ([ExecutorConfig.RequestTimeout]) fails at once.
//
// A result that was retried has Attempts above 1 and "_retried": true in its metadata. Behind this stage every item is
// settled. A policy that is not valid panics.
func Retry(e *Executor, policy RetryPolicy) batch.Stage {
	if err := policy.Validate(); err != nil {
		panic("gluepipe: stages.Retry: " + err.Error())
	}
	policy = policy.withDefaults()
	return func(ctx context.Context, in <-chan *batch.Item, out chan<- *batch.Item) error {
		r := &retrier{
			executor: e, policy: policy, due: make(chan parkedItem), back: make(chan *batch.Item), out: out,
			pool: pool.New().WithMaxGoroutines(e.config.MaxConcurrent),
		}
		defer r.pool.Wait()
		defer close(r.due)
		r.run(ctx, in)
		return nil
	}
}

// retrier is the retry stage at work: a loop that owns the queue, and workers, started as they are needed, that own the item
// they try.
type retrier struct {
	executor *Executor
	policy   RetryPolicy
	pool     *pool.Pool
	workers  int
	busy     int              // workers that have an item
	due      chan parkedItem  // to the workers
	back     chan *batch.Item // from the workers
	out      chan<- *batch.Item
	queue    parked
	giveUp   func(*batch.Item) // once the run ends: what becomes of an item that would wait
}

func (r *retrier) run(ctx context.Context, in <-chan *batch.Item) {
	timer := time.NewTimer(math.MaxInt64) // set when something waits
	defer timer.Stop()
	cancelled, draining := ctx.Done(), batch.Draining(ctx)
	for in != nil || len(r.queue) > 0 || r.busy > 0 {
		var due chan<- parkedItem
		var next parkedItem
		if len(r.queue) > 0 {
			next = r.queue[0]
			if wait := time.Until(next.until); wait > 0 {
				timer.Reset(wait)
			} else {
				due = r.due
				r.ensureWorker(ctx)
			}
		}
		select {
		case item, ok := <-in:
			if !ok {
				in = nil
				continue
			}
			r.parkOrPass(item)
		case item := <-r.back:
			r.busy--
			r.parkOrPass(item)
		case due <- next:
			r.busy++
			heap.Pop(&r.queue)
		case <-timer.C:
		case <-cancelled:
			cancelled = nil
			r.empty(func(item *batch.Item) { cutShort(ctx, item) })
		case <-draining:
			draining = nil
			r.empty(leaveForLater)
		}
	}
}

// ensureWorker starts a worker if none is free and there may be one more.
func (r *retrier) ensureWorker(ctx context.Context) {
	if r.busy < r.workers || r.workers == r.executor.config.MaxConcurrent {
		return
	}
	r.workers++
	r.pool.Go(func() {
		for p := range r.due {
			p.item.Result.WaitTime += time.Since(p.since)
			r.executor.attempt(ctx, p.item)
			r.back <- p.item
		}
	})
}

func (r *retrier) parkOrPass(item *batch.Item) {
	if item.Result != nil && !item.Settled() {
		if r.park(item) {
			return
		}
		r.executor.config.Tracker.end(item)
	}
	r.out <- item
}

// park has a failed item wait for its next attempt, or settles it where there won't be one.
func (r *retrier) park(item *batch.Item) bool {
	attempts := item.Result.Attempts - item.Hedges
	switch {
	case attempts >= r.policy.MaxAttempts:
		item.Retryable = false
		return false
	case r.giveUp != nil:
		r.giveUp(item)
		return false
	}
	now, wait := time.Now(), r.policy.backoff(attempts, item.RetryAfter)
	if r.executor.overdue(item, wait) {
		err := fmt.Errorf("%w: %w", r.executor.timedOut(item), causeOf(item.Result))
		item.Fail(batch.ErrAPITimeout.Wrap(err))
		return false
	}
	item.Backoff += wait
	heap.Push(&r.queue, parkedItem{item: item, since: now, until: now.Add(wait)})
	return true
}

// empty gives up what waits, now and from now on.
func (r *retrier) empty(giveUp func(*batch.Item)) {
	if r.giveUp == nil {
		r.giveUp = giveUp
	}
	for _, p := range r.queue {
		p.item.Result.WaitTime += time.Since(p.since)
		r.giveUp(p.item)
		r.executor.config.Tracker.end(p.item)
		r.out <- p.item
	}
	r.queue = nil
}

// parked is a heap of the items that wait, the one whose time comes first on top.
type parked []parkedItem

type parkedItem struct {
	item         *batch.Item
	since, until time.Time
}

func (p parked) Len() int           { return len(p) }
func (p parked) Less(i, j int) bool { return p[i].until.Before(p[j].until) }
func (p parked) Swap(i, j int)      { p[i], p[j] = p[j], p[i] }
func (p *parked) Push(x any)        { *p = append(*p, x.(parkedItem)) }
func (p *parked) Pop() any {
	last := len(*p) - 1
	x := (*p)[last]
	(*p)[last] = parkedItem{}
	*p = (*p)[:last]
	return x
}
