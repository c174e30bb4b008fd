package source

import (
	"context"
	"io"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// Chan returns a source of the requests that a channel carries; it ends when the channel is closed. Each item has its own
// copy of its request. Next blocks until there is a request or its ctx ends. The source never closes the channel, and leaves
// in it what it has not yielded: a sender must not count on being received from for ever.
func Chan(requests <-chan batch.Request) batch.Source { return &channel{requests: requests} }

type channel struct {
	requests <-chan batch.Request
	n        int
}

func (c *channel) Next(ctx context.Context) (*batch.Item, error) {
	if err := ctx.Err(); err != nil { // select chooses at random: a run that has ended must not take a request
		return nil, err
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case request, ok := <-c.requests:
		if !ok {
			return nil, io.EOF
		}
		c.n++
		return numbered(&request, c.n), nil
	}
}

func (c *channel) Close() error { return nil }
