package pipeline

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// callerSink is a sink that hands results to the caller of the run, who gets the unfinished ones too.
type callerSink interface{ takesUnfinished() bool }

// delivery gives finished items to the sink, acknowledges and counts them. One goroutine does it.
type delivery struct {
	*run
	summary    batch.Summary
	forCaller  bool
	sinkBroken error
	panicked   bool                  // a function of the caller's
	ready      []*batch.Item         // what the next deliver is about
	results    []*batch.Result       // of one batch, reused
	done       []bool                // of one batch, reused: what its items are acknowledged with
	due        int64                 // ordered: the index that comes next
	ahead      map[int64]*batch.Item // ordered: what came before its turn; the credits bound it
}

func newDelivery(r *run) *delivery {
	d := &delivery{run: r, ahead: make(map[int64]*batch.Item)}
	if caller, ok := r.sink.(callerSink); ok {
		d.forCaller = caller.takesUnfinished()
	}
	return d
}

// tellEvery is how often a run that delivers nothing is told of.
const tellEvery = time.Second

// deliverAll delivers until the stages have ended, and then what they swallowed.
func (d *delivery) deliverAll() {
	var quiet <-chan time.Time
	if d.engine.OnDelivery != nil {
		ticker := time.NewTicker(tellEvery)
		defer ticker.Stop()
		quiet = ticker.C
	}
	for open := true; open; {
		var item *batch.Item
		select {
		case item, open = <-d.out:
			if open {
				d.accept(item)
				d.acceptWaiting()
				d.deliver()
			}
		case <-quiet:
			d.tell()
		}
	}
	d.acceptRest()
	d.deliver()
}

// acceptWaiting accepts what is there without waiting, up to one batch.
func (d *delivery) acceptWaiting() {
	for len(d.ready) < d.engine.maxBatch() {
		select {
		case item, ok := <-d.out:
			if !ok {
				return
			}
			d.accept(item)
		default:
			return
		}
	}
}

func (d *delivery) accept(item *batch.Item) {
	if item == nil || !d.ledger.release(item) {
		d.broke(errors.New("a stage sent an item twice, or one that it had not received"))
		return
	}
	if item.Result == nil && item.Dropped() == "" {
		err := fmt.Errorf("%s came through the stages without a result", name(item))
		item.Fail(batch.ErrCancelled.Wrap(err))
		d.broke(err)
	}
	if !d.engine.Ordered {
		d.ready = append(d.ready, item)
		return
	}
	before := len(d.ahead)
	d.ahead[item.Index] = item
	defer func() { d.engine.stall.add(len(d.ahead) - before) }()
	for next, ok := d.ahead[d.due]; ok; next, ok = d.ahead[d.due] {
		delete(d.ahead, d.due)
		d.due++
		d.ready = append(d.ready, next)
	}
}

// acceptRest accepts what a swallowed item kept back, and the swallowed items themselves, as unfinished.
func (d *delivery) acceptRest() {
	swallowed := d.ledger.rest()
	for _, item := range swallowed {
		err := fmt.Errorf("a stage received %s and never sent it on", name(item))
		d.broke(err)
		d.ledger.release(item)
		item.Fail(batch.ErrCancelled.Wrap(err))
	}
	d.ready = append(d.ready, swallowed...)
	for _, item := range d.ahead {
		d.ready = append(d.ready, item)
	}
	slices.SortFunc(d.ready, func(a, b *batch.Item) int { return cmp.Compare(a.Index, b.Index) })
}

// deliver hands over what is ready, in batches.
func (d *delivery) deliver() {
	for chunk := range slices.Chunk(d.ready, d.engine.maxBatch()) {
		d.deliverBatch(chunk)
	}
	clear(d.ready)
	d.ready = d.ready[:0]
}

// deliverBatch writes one batch's results. It counts them before the write: afterwards they are the receiver's.
func (d *delivery) deliverBatch(items []*batch.Item) {
	var counts, written batch.Summary
	d.results, d.done = d.results[:0], d.done[:0]
	for _, item := range items {
		d.done = append(d.done, item.Dropped() != "" || !item.Result.Unfinished())
		if reason := item.Dropped(); reason != "" && reason != stages.Skipped {
			counts.AddDropped(reason)
			continue
		}
		if item.Dropped() == "" && (d.forCaller || !item.Result.Unfinished()) {
			d.results = append(d.results, item.Result)
			written.Add(item.Result)
		} else {
			counts.Add(item.Result)
		}
	}
	err := d.write()
	if err != nil {
		written = undelivered(&written)
	}
	d.summary.Merge(&counts)
	d.summary.Merge(&written)
	for i, item := range items {
		d.called(acknowledge(item, d.done[i] && (err == nil || item.Dropped() != "")))
		<-d.credits
	}
	if d.engine.OnDelivery != nil {
		d.tell()
	}
}

// tell tells the counts so far.
func (d *delivery) tell() {
	d.summary.TotalRequests = d.ledger.count()
	d.called(guard("telling the progress", func() error { d.engine.OnDelivery(&d.summary); return nil }))
}

// called notes that a function of the caller's panicked: the first time only, since it may do so for each item.
func (d *delivery) called(err error) {
	if err != nil && !d.panicked {
		d.panicked = true
		d.broke(err)
	}
}

func (d *delivery) write() error {
	if len(d.results) == 0 {
		return nil
	}
	if d.sinkBroken == nil {
		d.sinkBroken = guard("writing results", func() error { return d.sink.Write(d.sinkCtx, d.results) })
		clear(d.results)
		if d.sinkBroken != nil {
			d.broke(d.sinkBroken)
			d.cancelWork(d.sinkBroken) // what can't be delivered needn't be paid for
		}
	}
	return d.sinkBroken
}

// undelivered counts results that the sink did not take: none of them is finished.
func undelivered(counts *batch.Summary) batch.Summary {
	n := counts.SuccessfulRequests + counts.FailedRequests
	u := *counts
	u.SuccessfulRequests, u.FailedRequests, u.UnfinishedRequests = 0, n, n
	u.FailedByType = map[batch.ErrorKind]int{batch.ErrCancelled: n}
	return u
}
