package pipeline

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"

	"github.com/sourcegraph/conc/panics"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// watched wraps a stage of the caller's, so that one which swallows items or sends them twice is found out and named, and a
// doubled item never reaches the model twice. stall is the run's.
func watched(name string, stall *stall, stage batch.Stage) batch.Stage {
	return func(ctx context.Context, in <-chan *batch.Item, out chan<- *batch.Item) error {
		w := &watcher{
			name: name, stall: stall, in: in, out: out, inner: make(chan *batch.Item), passed: make(chan *batch.Item),
			stop: make(chan struct{}), ended: make(chan struct{}), held: make(map[*batch.Item]struct{}),
		}
		stall.watch(w)
		return w.run(ctx, stage)
	}
}

type watcher struct {
	name   string
	stall  *stall
	in     <-chan *batch.Item
	out    chan<- *batch.Item
	inner  chan *batch.Item // to the stage
	passed chan *batch.Item // from the stage
	stop   chan struct{}    // closed when the stage is broken
	ended  chan struct{}    // closed when the stage has returned
	once   sync.Once

	mu   sync.Mutex
	held map[*batch.Item]struct{} // what the stage received and has not sent
	errs []error
}

func (w *watcher) run(ctx context.Context, stage batch.Stage) error {
	var wg sync.WaitGroup
	wg.Go(w.feed)
	wg.Go(w.check)
	var err error
	if recovered := panics.Try(func() { err = stage(ctx, w.inner, w.passed) }); recovered != nil {
		err = fmt.Errorf("panic: %w", recovered.AsError())
	}
	if err != nil {
		w.broke(err)
	}
	early := false
	for item := range w.inner {
		if !early && err == nil {
			w.broke(errors.New("it returned before its input ended"))
		}
		early = true
		w.release(item)
		w.cutShort(item, "did not take it")
		w.out <- item
	}
	close(w.ended)
	wg.Wait()
	for item := range maps.Clone(w.held) {
		w.release(item)
		w.broke(fmt.Errorf("it received %s and never sent it on", name(item)))
		w.cutShort(item, "never sent it on")
		w.out <- item
	}
	return errors.Join(w.errs...)
}

// feed passes items to the stage until there are no more or the stage is broken.
func (w *watcher) feed() {
	defer close(w.inner)
	for {
		select {
		case <-w.stop:
			return
		case item, ok := <-w.in:
			if !ok {
				return
			}
			w.hold(item)
			w.inner <- item
		}
	}
}

// check passes on what the stage sends, once. It never closes passed: a goroutine that the stage left behind would end the
// process by sending there. It waits for ever instead.
func (w *watcher) check() {
	for {
		select {
		case item := <-w.passed:
			if !w.release(item) {
				w.broke(errors.New("it sent an item twice, or one that it had not received"))
				continue
			}
			w.out <- item
		case <-w.ended:
			return
		}
	}
}

func (w *watcher) hold(item *batch.Item) {
	w.mu.Lock()
	w.held[item] = struct{}{}
	w.mu.Unlock()
	w.stall.add(1)
}

// release returns false if the stage doesn't hold the item.
func (w *watcher) release(item *batch.Item) bool {
	w.mu.Lock()
	_, there := w.held[item]
	delete(w.held, item)
	w.mu.Unlock()
	if there {
		w.stall.add(-1)
	}
	return there
}

// stalled breaks the stage if it is what the run waits for.
func (w *watcher) stalled() {
	w.mu.Lock()
	held := len(w.held)
	w.mu.Unlock()
	if held > 0 {
		w.broke(fmt.Errorf("the run stands still for %v: it holds %d of the %d requests that may be in work, "+
			"has swallowed them or waits for more", stallPatience, held, w.stall.limit))
	}
}

func (w *watcher) broke(err error) {
	w.mu.Lock()
	w.errs = append(w.errs, fmt.Errorf("%s: %w", w.name, err))
	w.mu.Unlock()
	w.once.Do(func() { close(w.stop) })
}

func (w *watcher) cutShort(item *batch.Item, why string) {
	if !item.Settled() {
		item.Fail(batch.ErrCancelled.Errorf("the run broke: %s %s", w.name, why))
	}
}
