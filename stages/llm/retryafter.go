package llm

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxRetryAfter bounds what a server may demand: more than a day is a mistake, or a job for a later run.
const maxRetryAfter = 24 * time.Hour

// retryAfter returns the wait that a failed answer demands: the longer of its Retry-After and retry-after-ms; else, on a 429,
// the reset of a limit of which nothing remains. A reset is the time until the whole limit is free again, which is more than a
// call needs, and so the last resort: https://platform.openai.com/docs/guides/rate-limits
//
// A date is as far away as it is from the answer's own date.
func retryAfter(status int, h http.Header, limits Header, now time.Time) time.Duration {
	now = clock(h, now)
	wait, exact := parseWait(h.Get("Retry-After"), now), parseMillis(h.Get("Retry-After-Ms"))
	if exact > wait || exact > wait-time.Second && exact > 0 { // the seconds are the milliseconds rounded up
		wait = exact
	}
	if wait > 0 || status != http.StatusTooManyRequests {
		return wait
	}
	if limits.RemainingRequests == 0 {
		wait = limits.ResetRequests
	}
	if limits.RemainingTokens == 0 {
		wait = max(wait, limits.ResetTokens)
	}
	return wait
}

// parseWait reads seconds ("20", "0.5"), a duration ("6m0s", "120ms"), or a date as HTTP or RFC 3339 write it. What is
// none of these, or has passed, is 0.
func parseWait(s string, now time.Time) time.Duration {
	s = strings.TrimSpace(s)
	if s == "" {
		return 0
	}
	if seconds, err := strconv.ParseFloat(s, 64); err == nil {
		return wait(seconds, time.Second)
	}
	if d, err := time.ParseDuration(s); err == nil {
		return wait(float64(d), 1)
	}
	if t, err := http.ParseTime(s); err == nil {
		return wait(float64(t.Sub(now)), 1)
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return wait(float64(t.Sub(now)), 1)
	}
	return 0
}

func parseMillis(s string) time.Duration {
	millis, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil {
		return 0
	}
	return wait(millis, time.Millisecond)
}

// wait rounds up, so that a server's demand is never undercut by a fraction.
func wait(n float64, unit time.Duration) time.Duration {
	if math.IsNaN(n) || math.IsInf(n, 0) || n <= 0 {
		return 0
	}
	return time.Duration(math.Ceil(min(n*float64(unit), float64(maxRetryAfter))))
}
