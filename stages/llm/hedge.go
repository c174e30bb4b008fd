package llm

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// HedgeConfig says when [Hedge] makes a slow call a second time. The zero value is never; only one field may be set.
type HedgeConfig struct {
	// After is how long a call may take.
	After time.Duration
	// Percentile lets a call take as long as this percentage of the model's last few hundred calls did: 95 makes those again
	// that belong to the slowest twentieth. No call is made again before 20 have succeeded.
	Percentile float64
}

// Validate names the field that is wrong.
func (c HedgeConfig) Validate() error {
	switch {
	case c.After < 0:
		return fmt.Errorf("want After of 0 or more, got %v", c.After)
	case !(c.Percentile >= 0 && c.Percentile < 100): // so written for NaN
		return fmt.Errorf("want Percentile of 0 or more and below 100, got %v", c.Percentile)
	case c.After > 0 && c.Percentile > 0:
		return errors.New("want either After or Percentile")
	}
	return nil
}

const (
	// hedgeEvery is how many calls earn a hedge: 5% of them.
	hedgeEvery = 20
	// hedgesSaved is how many hedges may be saved up: enough for the tail of a run, and little beside an outage.
	hedgesSaved = 5
)

// Hedge makes a call that is slow a second time. The first good answer counts; the other call is cancelled and waited for.
// It belongs outside everything that makes a call wait: waits for limits, permits and the end of a pause aren't slowness, and
// the second call passes the same limits as any other. One that hasn't begun when the first returns is given up, and costs
// nothing.
//
// A call is made at most twice, and not at all a second time when its Hedges says that an earlier call of its request was.
// Over all calls, at most one in 20 is, beside a first one and four more that are saved up while calls are quick; so an outage
// doesn't double the load. The server may bill both calls: [Call.Hedges] counts the second, and where the call that lost
// reports what it used all the same, Answer.Usage and CostUSD have both. When both fail, the first one's error is
// returned; a failure that can't be cured is returned at once.
//
// A Hedge is safe for concurrent use where next is. It panics if config is not valid.
func Hedge(next Completer, config HedgeConfig) Completer {
	if err := config.Validate(); err != nil {
		panic("gluepipe: llm.Hedge: " + err.Error())
	}
	if config == (HedgeConfig{}) {
		return next
	}
	return &hedger{
		next: next, config: config, allowance: hedgeEvery,
		models: make(map[string]*latencies),
	}
}

type hedger struct {
	next   Completer
	config HedgeConfig
	// announced says that something below tells when calls begin. Until it has, a call counts as begun when it is made.
	announced atomic.Bool

	mu        sync.Mutex
	allowance int // a call earns 1, a hedge costs hedgeEvery
	models    map[string]*latencies
}

func (h *hedger) Complete(ctx context.Context, call *Call) (answer *Answer, err error) {
	leg, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	r := newRace(h, call, stop)
	r.start(func() { r.runSecond(ctx) })
	returned := false
	defer func() {
		if returned {
			return
		}
		panicked := recover()
		r.firstReturned(false, true)
		if r.winner != nil { // it is paid for, and the panic may come from the cancellation
			answer, err = r.result(ctx, nil, nil)
		} else if panicked != nil {
			panic(panicked)
		}
	}()
	answer, err = h.next.Complete(&legContext{leg, r.firstStarts, r.firstAnswered}, r.first) //nolint:contextcheck // leg is made from ctx
	hopeless := err != nil && !curable(Classify(ctx, err))
	returned = true
	r.firstReturned(answer != nil && err == nil, hopeless)
	return r.result(ctx, answer, err)
}

// curable tells whether the other leg may do better: where it is in flight, it may even when this one has waited too long for
// a limit, or a draining run left it.
func curable(e *Error) bool {
	return !e.Fatal && (e.Retryable || e.Kind == batch.ErrRateLimit || e.Kind.Unfinished())
}

// delayOf returns how long the call may take, or 0 where it isn't to be hedged. The call earns its part of a hedge.
func (h *hedger) delayOf(call *Call) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.allowance = min(h.allowance+1, hedgeEvery*hedgesSaved)
	switch {
	case call.Hedges > 0:
		return 0
	case h.config.After > 0:
		return h.config.After
	case h.models[call.Model] == nil:
		return 0
	}
	return h.models[call.Model].percentile(h.config.Percentile)
}

// maxModels bounds the models whose latencies are kept, since requests can name any.
const maxModels = 100

// took notes how long a call of the model took.
func (h *hedger) took(model string, latency time.Duration) {
	if h.config.Percentile == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.models[model]
	if l == nil {
		if len(h.models) == maxModels {
			return
		}
		l = &latencies{}
		h.models[model] = l
	}
	l.add(latency)
}

// spend takes a hedge from the allowance, if there is one.
func (h *hedger) spend() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.allowance < hedgeEvery {
		return false
	}
	h.allowance -= hedgeEvery
	return true
}

// refund gives back the hedge of a call that wasn't made.
func (h *hedger) refund() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.allowance += hedgeEvery
}

// heard notes that calls announce when they begin.
func (h *hedger) heard() {
	if !h.announced.Load() { // a look is cheaper than a write
		h.announced.Store(true)
	}
}

// hears tells whether calls that have begun say so, so that one that hasn't said it waits.
func (h *hedger) hears() bool { return h.announced.Load() }

// legContext is the context of a call under [Hedge]: by it, the limits below tell when the call has passed them.
type legContext struct {
	context.Context //nolint:containedctx // it is a context itself

	started  func()
	answered func() // nil: nobody wants to know
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

// announceAnswer tells the [Hedge] above, if there is one, that the call is answered, before its permit comes free: a second
// one that waits for that permit is then not made.
func announceAnswer(ctx context.Context) {
	if leg, ok := ctx.Value(legKey{}).(*legContext); ok && leg.answered != nil {
		leg.answered()
	}
}
