package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/gluepipe/gluepipe/pipeline"
	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// engineCost is what the engine takes for an item.
type engineCost struct {
	Nanoseconds float64 `json:"ns_per_item"` // of time
	CPU         float64 `json:"cpu_ns_per_item"`
	Allocs      float64 `json:"allocs_per_item"`
}

// engineWorkers is how many workers the stage in the middle has.
const engineWorkers = 64

func (b *bench) engine(ctx context.Context) error {
	cost, err := measureEngine(ctx, cmp.Or(b.requests, 500_000), cmp.Or(b.rounds, 5))
	if err != nil {
		return err
	}
	m := thisMachine(b.url)
	m.Server = "no server"
	fmt.Fprintln(b.stdout, m)
	fmt.Fprintf(b.stdout, "\nthe engine alone, five stages, %d workers in one of them: the best of the rounds\n", engineWorkers)
	fmt.Fprintf(b.stdout, "%8.0f ns an item\n%8.0f ns of CPU\n%8.2f allocations\n", cost.Nanoseconds, cost.CPU, cost.Allocs)
	return b.save(struct {
		Machine machine    `json:"machine"`
		Engine  engineCost `json:"engine"`
	}{m, cost}, nil)
}

// measureEngine returns the least of the rounds: what else the machine does only adds.
func measureEngine(ctx context.Context, items, rounds int) (engineCost, error) {
	var costs []engineCost
	for range rounds {
		m := newMeter()
		if err := runEngine(ctx, items); err != nil {
			return engineCost{}, err
		}
		o, n := m.outcome(items), float64(items)
		costs = append(costs, engineCost{o.Seconds * 1e9 / n, o.CPU * 1e3 / n, float64(o.Mallocs) / n})
	}
	return slices.MinFunc(costs, func(a, b engineCost) int { return cmp.Compare(a.CPU, b.CPU) }), nil
}

// runEngine moves items through an engine as the processor sets it up for as many workers.
func runEngine(ctx context.Context, items int) error {
	pass := func(_ context.Context, in <-chan *batch.Item, out chan<- *batch.Item) error {
		for item := range in {
			out <- item
		}
		return nil
	}
	result := &batch.Result{Success: true}
	work := stages.Map(engineWorkers, func(_ context.Context, item *batch.Item) error {
		item.Result = result
		return nil
	})
	engine := &pipeline.Engine{Buffer: engineWorkers / 8, MaxPending: 4 * engineWorkers}
	summary, err := engine.Run(ctx, &sameItem{left: items}, nowhere{}, pass, pass, work, pass, pass)
	if err == nil && summary.SuccessfulRequests != items {
		err = errors.New("the engine lost items")
	}
	return err
}

// sameItem is a source of one request, many times.
type sameItem struct {
	left    int
	request batch.Request
}

func (s *sameItem) Next(context.Context) (*batch.Item, error) {
	if s.left == 0 {
		return nil, io.EOF
	}
	s.left--
	return &batch.Item{Request: &s.request}, nil
}

func (s *sameItem) Close() error { return nil }
