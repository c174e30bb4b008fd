package llm

import (
	"context"
	"time"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// errHeldBack sends a call that waited for its permit back to its limiter, which has begun a pause since it let the call
// start. Whoever let it start takes it back, so that no caller sees it.
var errHeldBack = batch.ErrRateLimit.Errorf("a rate limit's pause began before the call was made")

// startedContext is the context of a call that a limiter has let start.
type startedContext struct {
	context.Context //nolint:containedctx // it is a context itself

	limiter   *Limiter
	incidents int // before the call
}

type startedKey struct{}

func (c *startedContext) Value(key any) any {
	if key == (startedKey{}) {
		return c
	}
	return c.Context.Value(key)
}

// pausedSinceStart tells whether the limiter that let the call start would hold it back now.
func pausedSinceStart(ctx context.Context) bool {
	c, ok := ctx.Value(startedKey{}).(*startedContext)
	if !ok {
		return false
	}
	c.limiter.mu.Lock()
	defer c.limiter.mu.Unlock()
	return c.limiter.incidents != c.incidents || c.limiter.until.After(time.Now())
}
