package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// nextPatience is how long a Next may take to notice that its context has ended. Work in flight goes on meanwhile.
const nextPatience = time.Second

// takeIn takes items from the source until it or the intake ends, and then closes the first channel. A Next that ignores its
// context is abandoned: its goroutine ends when Next returns, and leaves what it got unacknowledged.
func (r *run) takeIn() {
	defer close(r.in)
	reader := reader{run: r, turn: make(chan struct{}, 1), abandoned: make(chan struct{}), done: make(chan struct{})}
	reader.turn <- struct{}{}
	go reader.read()
	select {
	case <-reader.done:
		return
	case <-r.intake.Done():
	}
	timer := time.NewTimer(nextPatience)
	defer timer.Stop()
	select {
	case <-reader.done:
		return
	case <-timer.C:
	}
	select {
	case <-reader.done:
	case reader.turn <- struct{}{}: // it is in Next still, and will never get its turn to send
		close(reader.abandoned)
	}
}

// reader is the goroutine that calls Next. It has the turn whenever it is not inside Next, so that nobody closes the channel
// which it sends on.
type reader struct {
	*run
	turn      chan struct{}
	abandoned chan struct{}
	done      chan struct{}
}

func (r *reader) read() {
	defer close(r.done)
	if err := guard("reading the source", r.readAll); err != nil && !isEnd(r.intake, err) {
		r.broke(err)
	}
}

// readAll returns the error that ended the source; nil where the intake ended first.
func (r *reader) readAll() error {
	for {
		select {
		case r.credits <- struct{}{}:
		case <-r.intake.Done():
			return nil
		}
		if r.intake.Err() != nil {
			return nil
		}
		<-r.turn
		item, err := r.source.Next(r.intake)
		select {
		case r.turn <- struct{}{}:
		case <-r.abandoned:
			return acknowledge(item, false)
		}
		switch {
		case err != nil:
			return err
		case item == nil:
			return errors.New("the source yielded neither an item nor an error")
		case !r.ledger.admit(item):
			return fmt.Errorf("the source yielded %s again while it was in work", name(item))
		}
		if item.Result != nil {
			item.Settle(item.Result) // the source could not know the index
		}
		r.in <- item
	}
}

// isEnd tells a source that came to its end, or noticed that the intake did, from one that broke.
func isEnd(intake context.Context, err error) bool {
	if err == io.EOF { // not errors.Is: a wrapped EOF is some failure's, and taking it for the end would lose requests unseen
		return true
	}
	return intake.Err() != nil && (errors.Is(err, intake.Err()) || errors.Is(err, context.Cause(intake)))
}

// acknowledge returns an error only where Ack panics.
func acknowledge(item *batch.Item, done bool) error {
	if item == nil || item.Ack == nil {
		return nil
	}
	return guard("acknowledging a request", func() error { item.Ack(done); return nil })
}

// name names an item for people.
func name(item *batch.Item) string {
	switch {
	case item.Origin != "":
		return item.Origin
	case item.ID() != "":
		return fmt.Sprintf("request %q", item.ID())
	default:
		return fmt.Sprintf("request %d", item.Index+1)
	}
}
