package stages

import (
	"cmp"
	"errors"
	"math"
	"math/rand/v2"
	"time"
)

// RetryPolicy says how often and when a request that failed is tried again. Only failures that another attempt can cure
// are retried at all; a rate limit that llm.Park waits out uses up no attempt.
type RetryPolicy struct {
	MaxAttempts    int           // attempts in all, the first included; default 1: no retry
	InitialBackoff time.Duration // bound of the wait before the second attempt; doubles with each further one; default 1 second
	MaxBackoff     time.Duration // upper bound of the wait; default 1 minute. A server's Retry-After is never undercut
}

// Validate names the field that is wrong.
func (p RetryPolicy) Validate() error {
	switch {
	case p.MaxAttempts < 0:
		return errors.New("MaxAttempts: want 1 or more")
	case p.InitialBackoff < 0:
		return errors.New("InitialBackoff: want a duration above 0")
	case p.MaxBackoff < 0:
		return errors.New("MaxBackoff: want a duration above 0")
	}
	return nil
}

func (p RetryPolicy) withDefaults() RetryPolicy {
	p.MaxAttempts = cmp.Or(p.MaxAttempts, 1)
	p.InitialBackoff = cmp.Or(p.InitialBackoff, time.Second)
	p.MaxBackoff = cmp.Or(p.MaxBackoff, time.Minute)
	return p
}

// backoff returns how long to wait after the given number of failed attempts: full jitter, so that requests which failed
// together don't come back together, on top of what the server asked for.
// https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
func (p RetryPolicy) backoff(attempts int, retryAfter time.Duration) time.Duration {
	bound := p.MaxBackoff
	if shift := max(attempts-1, 0); shift < 32 && p.InitialBackoff<<shift>>shift == p.InitialBackoff {
		bound = min(bound, p.InitialBackoff<<shift)
	}
	wait := rand.N(bound) + 1
	return wait + min(retryAfter, math.MaxInt64-wait)
}
