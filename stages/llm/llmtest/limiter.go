package llmtest

import (
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// limiter is a token bucket for each API key, which fills steadily, or at once when a window begins.
type limiter struct {
	rpm      int
	burst    float64
	interval time.Duration // between two requests at the limit
	window   time.Duration // 0: the bucket fills steadily

	mu      sync.Mutex
	buckets map[string]*bucket
}

type bucket struct {
	tokens float64
	at     time.Time // when tokens was right; when the window began
}

func newLimiter(rpm, burst int, window time.Duration) *limiter {
	l := &limiter{
		rpm: rpm, burst: float64(burst), interval: time.Minute / time.Duration(rpm), window: window,
		buckets: map[string]*bucket{},
	}
	if window > 0 {
		l.burst = math.Ceil(float64(rpm) * window.Minutes())
	}
	return l
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
	l.fill(b, now)
	state := limits{limit: l.rpm}
	enough := b.tokens >= 1
	if enough {
		b.tokens--
	}
	state.remaining = int(b.tokens)
	state.reset = l.until(b, l.burst, now)
	if !enough {
		state.wait = max(1, l.until(b, 1, now))
	}
	return state
}

func (l *limiter) fill(b *bucket, now time.Time) {
	passed := now.Sub(b.at)
	switch {
	case l.window == 0 && passed > 0:
		b.tokens = min(l.burst, b.tokens+float64(passed)/float64(l.interval))
		b.at = now
	case l.window > 0 && passed >= l.window:
		b.tokens = l.burst
		b.at = b.at.Add(passed.Truncate(l.window))
	}
}

// until is the time until the bucket holds so many tokens.
func (l *limiter) until(b *bucket, tokens float64, now time.Time) time.Duration {
	if l.window > 0 {
		return l.window - max(0, now.Sub(b.at))
	}
	return time.Duration((tokens - b.tokens) * float64(l.interval))
}

// setHeaders says so as OpenAI does.
func (l *limits) setHeaders(h http.Header, wholeSeconds bool) {
	h.Set("X-Ratelimit-Limit-Requests", strconv.Itoa(l.limit))
	h.Set("X-Ratelimit-Remaining-Requests", strconv.Itoa(l.remaining))
	h.Set("X-Ratelimit-Reset-Requests", l.reset.Round(time.Millisecond).String())
	if l.wait > 0 {
		h.Set("Retry-After", roundUp(l.wait, time.Second))
	}
	if l.wait > 0 && !wholeSeconds {
		h.Set("Retry-After-Ms", roundUp(l.wait, time.Millisecond))
	}
}

// roundUp counts in units, so that who waits that long is let in.
func roundUp(wait, unit time.Duration) string {
	return strconv.FormatInt(int64((wait+unit-1)/unit), 10)
}
