package llm

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/gluepipe/gluepipe/stages/batch"
)

const defaultMaxWait = 15 * time.Minute

// Park keeps a call that met a rate limit, instead of failing it: it makes the call again, and the [Limiter] below, in
// [RateLimit] or [KeyPool], holds it back until the pause ends. A call waits for limits for at most maxWait in all (0: 15
// minutes; below 0: no bound), the wait before its first try included; then it fails with [batch.ErrRateLimit], and isn't
// to be retried. A 429 that no limiter below has seen is returned as it is.
func Park(next Completer, maxWait time.Duration) Completer {
	switch {
	case maxWait == 0:
		maxWait = defaultMaxWait
	case maxWait < 0:
		maxWait = forever
	}
	return &park{next, maxWait}
}

type park struct {
	next    Completer
	maxWait time.Duration
}

func (p *park) Complete(ctx context.Context, call *Call) (*Answer, error) {
	parked := &parkedContext{Context: ctx, maxWait: p.maxWait}
	var limit error // the last 429
	for {
		answer, err := p.next.Complete(parked, call) //nolint:contextcheck // parked is made from ctx
		if err == nil {
			return answer, nil
		}
		if errors.Is(err, errWaitedTooLong) {
			return nil, parked.giveUp(limit)
		}
		if !parked.held.Swap(false) {
			return answer, err
		}
		limit = err
	}
}

// parkedContext is the context of a call under Park: by it, the limiters below share the time that the call may wait.
type parkedContext struct {
	context.Context //nolint:containedctx // it is a context itself

	maxWait time.Duration
	waited  atomic.Int64 // nanoseconds
	held    atomic.Bool  // a limiter has seen the 429, and holds back what follows
}

type parkKey struct{}

// parkOf returns the context that Park made, or nil. All its methods can be called on nil.
func parkOf(ctx context.Context) *parkedContext {
	c, _ := ctx.Value(parkKey{}).(*parkedContext)
	return c
}

func (c *parkedContext) Value(key any) any {
	if key == (parkKey{}) {
		return c
	}
	return c.Context.Value(key)
}

func (c *parkedContext) left() time.Duration {
	if c == nil {
		return forever
	}
	return c.maxWait - time.Duration(c.waited.Load())
}

func (c *parkedContext) add(waited time.Duration) {
	if c != nil {
		c.waited.Add(int64(waited))
	}
}

func (c *parkedContext) hold() {
	if c != nil {
		c.held.Store(true)
	}
}

// giveUp returns the error of a call that has waited too long. limit is the last 429 it met, if any.
func (c *parkedContext) giveUp(limit error) error {
	failure := Error{Kind: batch.ErrRateLimit, Header: noHeader}
	if e, ok := errors.AsType[*Error](limit); ok {
		failure = *e
		failure.Retryable = false
	}
	waited := time.Duration(c.waited.Load()).Round(time.Millisecond)
	failure.Err = fmt.Errorf("gave up after waiting %v for rate limits", waited)
	if limit != nil {
		failure.Err = fmt.Errorf("%w: %w", failure.Err, limit)
	}
	return &failure
}
