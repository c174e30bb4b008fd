package pipeline

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// strike does what a source or sink does whose method goes wrong. It returns nil where the method goes on as if nothing were.
func (f fault) strike(ctx context.Context) error {
	switch f {
	case fails:
		return errChaos
	case panicking:
		panic("chaos")
	case ignoresCtx:
		time.Sleep(time.Hour)
	case stalls:
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(time.Hour):
		}
	default:
	}
	return nil
}

type chaosSource struct{ *world }

func (s chaosSource) Next(ctx context.Context) (*batch.Item, error) {
	time.Sleep(s.sourceSlow)
	s.mu.Lock()
	k := len(s.taken)
	s.mu.Unlock()
	if k == s.sourceAt {
		if s.sourceFault == yieldsNothing {
			return nil, nil
		}
		if err := s.sourceFault.strike(ctx); err != nil {
			return nil, err
		}
	}
	if k == s.n {
		return nil, io.EOF
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	item := &batch.Item{
		Origin:  fmt.Sprintf("request %d", k+1),
		Request: &batch.Request{ID: fmt.Sprint(k), UserMessage: fmt.Sprint(k)},
	}
	item.Ack = func(done bool) { s.acknowledged(item, done) }
	s.taken = append(s.taken, item)
	s.outstanding++
	s.mostAtOnce = max(s.mostAtOnce, s.outstanding)
	return item, nil
}

func (w *world) acknowledged(item *batch.Item, done bool) {
	w.mu.Lock()
	w.acks[item] = append(w.acks[item], done)
	w.outstanding--
	w.mu.Unlock()
	if w.ackPanics {
		panic("chaos")
	}
}

func (s chaosSource) Close() error {
	s.sourceClosed++
	return s.sourceCloseFault.strike(context.Background())
}

type chaosSink struct{ *world }

func (s chaosSink) Write(ctx context.Context, results []*batch.Result) error {
	time.Sleep(s.sinkSlow)
	s.writes++
	if s.sinkBroke {
		s.problem("a Write after one that failed")
	}
	if len(results) > s.maxBatch {
		s.problem("a Write of %d results, at most %d were asked for", len(results), s.maxBatch)
	}
	for _, r := range results {
		if r.Unfinished() {
			s.problem("result %d is unfinished and reached the sink", r.Index)
		}
	}
	if s.writes == s.sinkAt {
		s.sinkBroke = true
		if s.sinkFault == writesShort { // half of them are on the disk, and yet none is counted
			return io.ErrShortWrite
		}
		if err := s.sinkFault.strike(ctx); err != nil {
			return err
		}
		s.sinkBroke = false
	}
	for _, r := range results {
		s.written = append(s.written, r.Index)
		s.results = append(s.results, r)
	}
	return nil
}

func (s chaosSink) Close(ctx context.Context) error {
	s.sinkClosed++
	return s.sinkCloseFault.strike(ctx)
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
		if pass(ctx, slow()) != nil {
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
