package stages

import (
	"bytes"
	"context"
	"math"
	"sync"
	"time"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/internal/jsonappend"
)

const (
	// maxGathering is how long the first of a group waits for others.
	maxGathering = 10 * time.Millisecond
	// maxGroupBytes keeps a group far below the 8,000 to 300,000 tokens that providers take in one call: at four bytes a token
	// these are 8,000.
	maxGroupBytes = 32_000
)

// gatherer makes groups of requests for embeddings: a loop that owns the group which grows, and workers that ask for a group
// which is full. nil gathers nothing.
type gatherer struct {
	executor *Executor
	in       chan *batch.Item   // from the workers of execute
	groups   chan []*batch.Item // to the gatherer's own
	out      chan<- *batch.Item
	running  sync.WaitGroup
}

// group is what grows.
type group struct {
	items []*batch.Item
	key   []byte
	bytes int
	due   bool // it has waited long enough
}

func (e *Executor) newGatherer(ctx context.Context, out chan<- *batch.Item) *gatherer {
	if e.config.EmbedBatch <= 1 || e.config.KeepRaw {
		return nil
	}
	g := &gatherer{executor: e, in: make(chan *batch.Item), groups: make(chan []*batch.Item), out: out}
	g.running.Go(func() { g.run(ctx) })
	return g
}

// wants tells whether an item can be asked for together with others: it is one text.
func (g *gatherer) wants(item *batch.Item) bool {
	return g != nil && item.Effective != nil && isText(item.Effective.Input)
}

func isText(input []byte) bool {
	input = bytes.TrimSpace(input)
	return len(input) > 0 && input[0] == '"'
}

// finish returns when all that was gathered is done. Nothing may be sent to it any more.
func (g *gatherer) finish() {
	if g == nil {
		return
	}
	close(g.in)
	g.running.Wait()
}

func (g *gatherer) run(ctx context.Context) {
	first, ok := <-g.in
	if !ok {
		return // a run without embeddings needs no more goroutines than this one
	}
	var asking sync.WaitGroup
	defer asking.Wait()
	defer close(g.groups)
	asking.Go(func() { workers(g.executor.config.MaxConcurrent, func() { g.ask(ctx) }) })

	timer := time.NewTimer(math.MaxInt64)
	defer timer.Stop()
	growing := newGroup(first, keyOf(first))
	timer.Reset(maxGathering)
	for in := g.in; in != nil || growing != nil; {
		more, ready := in, g.groups
		var items []*batch.Item
		switch {
		case growing == nil:
			ready = nil
		case len(growing.items) >= g.executor.config.EmbedBatch:
			items, more = growing.items, nil
		case growing.due || in == nil:
			items = growing.items
		default:
			ready = nil
		}
		select {
		case item, ok := <-more:
			if !ok {
				in = nil
				continue
			}
			key := keyOf(item)
			if growing != nil && !growing.takes(item, key) {
				g.groups <- growing.items
				growing = nil
			}
			if growing == nil {
				growing = newGroup(item, key)
				timer.Reset(maxGathering)
				continue
			}
			growing.add(item)
		case ready <- items:
			growing = nil
		case <-timer.C:
			if growing != nil {
				growing.due = true
			}
		}
	}
}

func newGroup(item *batch.Item, key []byte) *group {
	g := &group{key: key}
	g.add(item)
	return g
}

func (g *group) add(item *batch.Item) {
	g.items = append(g.items, item)
	g.bytes += len(item.Effective.Input)
}

func (g *group) takes(item *batch.Item, key []byte) bool {
	return bytes.Equal(g.key, key) && g.bytes+len(item.Effective.Input) <= maxGroupBytes
}

// keyOf is the same for requests that differ in their texts alone.
func keyOf(item *batch.Item) []byte {
	r := item.Effective
	key := jsonappend.Seconds(jsonappend.String([]byte("{"), r.Model), r.Timeout)
	key, err := jsonappend.Members(key, r.Params)
	if err != nil {
		return nil // can't be sent either: whatever it is asked with, the call tells
	}
	return key
}

// ask makes the calls of groups.
func (g *gatherer) ask(ctx context.Context) {
	draining := batch.Draining(ctx)
	for items := range g.groups {
		if isDraining(draining) {
			for _, item := range items {
				leaveForLater(item)
			}
		} else {
			g.executor.attemptGroup(ctx, items)
		}
		for _, item := range items {
			g.out <- item
		}
	}
}
