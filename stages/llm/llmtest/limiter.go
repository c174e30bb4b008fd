package llmtest

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

// limiter is a token bucket for each API key.
type limiter struct {
	rpm      int
	burst    float64
	interval time.Duration // between two requests at the limit

	mu      sync.Mutex
	buckets map[string]*bucket
}

type bucket struct {
	tokens float64
	at     time.Time // when tokens was right
}

func newLimiter(rpm, burst int) *limiter {
	return &limiter{
		rpm: rpm, burst: float64(burst), interval: time.Minute / time.Duration(rpm), buckets: map[string]*bucket{},
	}
}

// limits is what a request's answer says of its limit.
type limits struct {
	limit     int
	remaining int
	reset     time.Duration // until the bucket is full again
	wait      time.Duration // until the next request may come; 0: this one may pass
}

// take takes a token of key's bucket, if there is one.
func (l *limiter) take(key string, now time.Time) limits {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buckets[key]
	if b == nil {
		b = &bucket{tokens: l.burst, at: now}
		l.buckets[key] = b
	}
	if passed := now.Sub(b.at); passed > 0 {
		b.tokens = min(l.burst, b.tokens+float64(passed)/float64(l.interval))
		b.at = now
	}
	state := limits{limit: l.rpm}
	if b.tokens >= 1 {
		b.tokens--
	} else {
		state.wait = max(1, time.Duration((1-b.tokens)*float64(l.interval)))
	}
	state.remaining = int(b.tokens)
	state.reset = time.Duration((l.burst - b.tokens) * float64(l.interval))
	return state
}

// setHeaders says so as OpenAI does.
func (l *limits) setHeaders(h http.Header) {
	h.Set("X-Ratelimit-Limit-Requests", strconv.Itoa(l.limit))
	h.Set("X-Ratelimit-Remaining-Requests", strconv.Itoa(l.remaining))
	h.Set("X-Ratelimit-Reset-Requests", l.reset.Round(time.Millisecond).String())
	if l.wait > 0 {
		h.Set("Retry-After", roundUp(l.wait, time.Second))
		h.Set("Retry-After-Ms", roundUp(l.wait, time.Millisecond))
	}
}

// roundUp counts in units, so that who waits that long is let in.
func roundUp(wait, unit time.Duration) string {
	return strconv.FormatInt(int64((wait+unit-1)/unit), 10)
}
