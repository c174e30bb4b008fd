package llmtest

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLimiterLetsABurstInAndThenOneForEachInterval(t *testing.T) {
	l := newLimiter(600, 2)
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

func TestWhoWaitsAsLongAsToldIsLetIn(t *testing.T) {
	l := newLimiter(7, 1)
	now := time.Now()
	l.take("k", now)
	wait := l.take("k", now).wait
	require.Positive(t, wait)
	require.Zero(t, l.take("k", now.Add(wait.Truncate(time.Millisecond)+time.Millisecond)).wait)
}

func TestLimitsAreWrittenAsOpenAIWritesThem(t *testing.T) {
	h := http.Header{}
	(&limits{limit: 200, remaining: 199, reset: 6 * time.Minute}).setHeaders(h)
	require.Equal(t, http.Header{
		"X-Ratelimit-Limit-Requests": {"200"}, "X-Ratelimit-Remaining-Requests": {"199"}, "X-Ratelimit-Reset-Requests": {"6m0s"},
	}, h)
	(&limits{reset: 120 * time.Millisecond, wait: 1100*time.Millisecond + 1}).setHeaders(h)
	require.Equal(t, "120ms", h.Get("X-Ratelimit-Reset-Requests"))
	require.Equal(t, "2", h.Get("Retry-After"))
	require.Equal(t, "1101", h.Get("Retry-After-Ms"))
}
