package sink

import (
	"context"
	"fmt"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// Chan returns a sink that sends each result to a channel, which it never closes. Write blocks until every result is
// received, or put into the channel's buffer, or its ctx ends. For the engine a result in the buffer is delivered.
func Chan(results chan<- *batch.Result) batch.Sink { return channel(results) }

type channel chan<- *batch.Result

func (c channel) Write(ctx context.Context, results []*batch.Result) error {
	for _, r := range results {
		select {
		case c <- r:
		case <-ctx.Done():
			return fmt.Errorf("sending the result of request %q: %w", r.ID, context.Cause(ctx))
		}
	}
	return nil
}

func (c channel) Close(context.Context) error { return nil }
