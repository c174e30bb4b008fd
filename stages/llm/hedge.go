package llm

import "context"

// legContext is the context of a call under [Hedge]: by it, the limits below tell when the call has passed them.
type legContext struct {
	context.Context //nolint:containedctx // it is a context itself

	started func()
}

type legKey struct{}

func (c *legContext) Value(key any) any {
	if key == (legKey{}) {
		return c
	}
	return c.Context.Value(key)
}

// announceStart tells the [Hedge] above, if there is one, that the call has passed its limits and begins now. A call that
// is made again after a 429 announces itself again.
func announceStart(ctx context.Context) {
	if leg, ok := ctx.Value(legKey{}).(*legContext); ok {
		leg.started()
	}
}
