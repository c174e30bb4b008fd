package llm

import (
	"context"
	"math"
	"time"

	"golang.org/x/time/rate"
)

// Limits are what a provider allows of calls with one key. A value of 0 or less is no limit.
//
// They hold in every window of 60 seconds, and are spread evenly over it: RPM 600 starts the first call at once, and then
// one every tenth of a second. No more than a tenth of a second's worth ever starts together, because a provider may
// count by the second what it states by the minute. A call's tokens count when it starts: one that takes more than is
// left of the window starts all the same, and those after it wait until that is made up for.
type Limits struct {
	RPM int // requests a minute
	TPM int // tokens a minute, prompt and completion together
}

// RateLimit holds each call back until l lets it start, and tells l how it went. A 429 is returned to the caller, while l
// holds back the calls that follow; see [Park]. The wait counts into [Call.Waited]. It ends with [batch.ErrCancelled] when
// the context ends or the run drains (see [batch.Draining]).
func RateLimit(next Completer, l *Limiter) Completer { return &paced{next, l} }

type paced struct {
	next    Completer
	limiter *Limiter
}

func (p *paced) Complete(ctx context.Context, call *Call) (*Answer, error) {
	begun, err := p.limiter.start(ctx, call)
	if err != nil {
		return nil, err
	}
	return p.limiter.run(ctx, call, begun, nil, p.next)
}

// bucket spreads a number a minute evenly. Its limiter holds a minute's worth, so that it can owe that much at a time; a
// call may start when all but the slack is paid back, however much it takes itself.
type bucket struct {
	limiter *rate.Limiter
	slack   int
}

// newBucket returns nil where there is no limit.
func newBucket(perMinute int) *bucket {
	if perMinute <= 0 {
		return nil
	}
	// The slack lets calls catch up after a timer that fired late. It comes on top of what the rate gives in a window, so
	// the rate is that much lower.
	slack := perMinute / 600
	return &bucket{
		limiter: rate.NewLimiter(rate.Limit(float64(perMinute-slack)/60), perMinute),
		slack:   slack,
	}
}

// wait returns how long it is until a call may start.
func (b *bucket) wait(now time.Time) time.Duration {
	if b == nil {
		return 0
	}
	owed := float64(b.limiter.Burst()-b.slack) - b.limiter.TokensAt(now)
	if owed <= 0 {
		return 0
	}
	return time.Duration(math.Ceil(owed / float64(b.limiter.Limit()) * float64(time.Second)))
}

// take takes n, at most a minute's worth, and returns how much it took. A negative n gives back.
func (b *bucket) take(now time.Time, n int) int {
	if b == nil {
		return 0
	}
	n = min(n, b.limiter.Burst())
	b.limiter.ReserveN(now, n)
	return n
}
