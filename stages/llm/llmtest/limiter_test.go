package llmtest

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLimiterLetsABurstInAndThenOneForEachInterval(t *testing.T) {
	l := newLimiter(600, 2, 0)
	now := time.Now()
	require.Equal(t, limits{limit: 600, remaining: 1, reset: 100 * time.Millisecond}, l.take("k", now))
	require.Equal(t, limits{limit: 600, remaining: 0, reset: 200 * time.Millisecond}, l.take("k", now))
	refused := l.take("k", now.Add(40*time.Millisecond))
	require.InDelta(t, 60*time.Millisecond, refused.wait, float64(time.Microsecond))
	require.InDelta(t, 160*time.Millisecond, refused.reset, float64(time.Microsecond))
	require.Zero(t, l.take("k", now.Add(101*time.Millisecond)).wait, "refused requests take nothing")
	require.Zero(t, l.take("other", now).wait, "each key has its own")

	later := now.Add(time.Hour)
	require.Equal(t, 1, l.take("k", later).remaining, "the bucket holds no more than the burst")
}

func TestAWindowLetsItsRequestsInHoweverCloseTogether(t *testing.T) {
	l := newLimiter(120, 0, 1500*time.Millisecond)
	now := time.Now()
	for remaining := 2; remaining >= 0; remaining-- {
		want := limits{limit: 120, remaining: remaining, reset: 1500 * time.Millisecond}
		require.Equal(t, want, l.take("k", now))
	}
	late := now.Add(1400 * time.Millisecond)
	require.Equal(t, limits{limit: 120, reset: 100 * time.Millisecond, wait: 100 * time.Millisecond}, l.take("k", late))
	require.Zero(t, l.take("other", late).wait, "each key has its own")

	next := now.Add(1500 * time.Millisecond)
	require.Equal(t, limits{limit: 120, remaining: 2, reset: 1500 * time.Millisecond}, l.take("k", next))
	third := now.Add(4 * time.Second)
	require.Equal(t, limits{limit: 120, remaining: 2, reset: 500 * time.Millisecond}, l.take("k", third), "windows keep their beat")
	require.Equal(t, 1, newLimiter(1, 0, time.Second).take("k", now).limit, "a short window lets one in")
}

func TestWhoWaitsAsLongAsToldIsLetIn(t *testing.T) {
	l := newLimiter(7, 1, 0)
	now := time.Now()
	l.take("k", now)
	wait := l.take("k", now).wait
	require.Positive(t, wait)
	require.Zero(t, l.take("k", now.Add(wait.Truncate(time.Millisecond)+time.Millisecond)).wait)
}

func TestLimitsAreWrittenAsOpenAIWritesThem(t *testing.T) {
	h := http.Header{}
	(&limits{limit: 200, remaining: 199, reset: 6 * time.Minute}).setHeaders(h, false)
	require.Equal(t, http.Header{
		"X-Ratelimit-Limit-Requests": {"200"}, "X-Ratelimit-Remaining-Requests": {"199"}, "X-Ratelimit-Reset-Requests": {"6m0s"},
	}, h)
	(&limits{reset: 120 * time.Millisecond, wait: 1100*time.Millisecond + 1}).setHeaders(h, false)
	require.Equal(t, "120ms", h.Get("X-Ratelimit-Reset-Requests"))
	require.Equal(t, "2", h.Get("Retry-After"))
	require.Equal(t, "1101", h.Get("Retry-After-Ms"))

	h = http.Header{}
	(&limits{wait: time.Millisecond}).setHeaders(h, true)
	require.Equal(t, "1", h.Get("Retry-After"))
	require.Empty(t, h.Get("Retry-After-Ms"))
}
