package main

import (
	"context"
	"encoding/json"
	"time"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// close ends the servers, at once where a signal comes meanwhile. It may be called on nil.
func (b *toolbox) close(ctx context.Context) {
	if b == nil {
		return
	}
	ctx, stop := untilSignal(context.WithoutCancel(ctx))
	defer stop()
	if b.servers != nil {
		_ = b.servers.Close(ctx) // an error of a server that ends is nobody's any more
	}
	b.await(ctx)
}

// await waits for calls that were cancelled: what their programs have started would stay if this process ended before
// they are killed.
func (b *toolbox) await(ctx context.Context) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b.calls.Wait()
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	case <-time.After(time.Second): // something can't be killed
	}
}

// counted returns the tool with its calls counted.
func (b *toolbox) counted(t batch.Tool) batch.Tool {
	call := t.Call
	t.Call = func(ctx context.Context, arguments json.RawMessage) (string, error) {
		b.calls.Add(1)
		defer b.calls.Done()
		return call(ctx, arguments)
	}
	return t
}

// kill ends the servers at once.
func (b *toolbox) kill(ctx context.Context) {
	if b != nil && b.servers != nil {
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		_ = b.servers.Close(ctx)
	}
}
