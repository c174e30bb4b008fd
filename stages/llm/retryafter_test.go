package llm

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWaitsAreReadAsServersWriteThem(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"20": 20 * time.Second, " 20 ": 20 * time.Second, "0.25": 250 * time.Millisecond, "0": 0, "": 0,
		"6m0s": 6 * time.Minute, "120ms": 120 * time.Millisecond, "1s": time.Second, "2m59.56s": 2*time.Minute + 59560*time.Millisecond,
		"Sun, 01 Mar 2026 12:00:30 GMT": 30 * time.Second, "Sun, 01 Mar 2026 11:00:00 GMT": 0, "2026-03-01T12:01:00Z": time.Minute,
		"-5": 0, "-5s": 0, "soon": 0, "NaN": 0, "Inf": 0, "-Inf": 0, "1e300": 24 * time.Hour, "9999h": 24 * time.Hour,
		"Sun, 01 Mar 2126 12:00:00 GMT": 24 * time.Hour, "0.0000000001": 1,
	} {
		require.Equal(t, want, parseWait(text, now), "%q", text)
	}
}

func FuzzRetryAfterIsNeverNegativeNorEndless(f *testing.F) {
	f.Add(429, "20", "1500", "0", "6m0s", "0", "120ms")
	f.Add(503, "Sun, 01 Mar 2026 12:00:30 GMT", "-1", "", "soon", "x", "1e99")
	f.Fuzz(func(t *testing.T, status int, after, millis, requests, resetRequests, tokens, resetTokens string) {
		now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		h := http.Header{
			"Retry-After": {after}, "Retry-After-Ms": {millis},
			"X-Ratelimit-Remaining-Requests": {requests}, "X-Ratelimit-Reset-Requests": {resetRequests},
			"X-Ratelimit-Remaining-Tokens": {tokens}, "X-Ratelimit-Reset-Tokens": {resetTokens},
		}
		limits := readHeader(h, now)
		got := retryAfter(status, h, limits, now)
		if got < 0 || got > maxRetryAfter {
			t.Fatalf("got %v", got)
		}
		if got <= parseWait(after, now)-time.Second || got < parseMillis(millis) {
			t.Fatalf("%v undercuts Retry-After %q or %q", got, after, millis)
		}
		if limits.RemainingRequests < -1 || limits.RemainingTokens < -1 || limits.ResetRequests < 0 || limits.ResetTokens < 0 {
			t.Fatalf("got %+v", limits)
		}
	})
}
