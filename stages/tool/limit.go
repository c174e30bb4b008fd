package tool

import (
	"context"
	"sync"
)

// Limit returns a [batch.Tool.Acquire] that lets n calls run at once. Tools that are given the same one share the places. It
// panics where n is below 1.
func Limit(n int) func(ctx context.Context) (release func(), err error) {
	if n < 1 {
		panic("gluepipe: tool.Limit needs 1 call or more")
	}
	places := make(chan struct{}, n)
	return func(ctx context.Context) (func(), error) {
		select {
		case places <- struct{}{}:
			return sync.OnceFunc(func() { <-places }), nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
