package llm

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLimitsAreReadAsEachProviderWritesThem(t *testing.T) {
	date := "Sun, 01 Mar 2026 12:00:00 GMT"
	for name, test := range map[string]struct {
		header map[string]string
		want   Header
	}{
		"nothing": {nil, noHeader},
		"OpenAI": {
			map[string]string{
				"x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "59", "x-ratelimit-reset-requests": "1s",
				"x-ratelimit-limit-tokens": "150000", "x-ratelimit-remaining-tokens": "149984", "x-ratelimit-reset-tokens": "6ms",
			},
			Header{60, 150000, 59, 149984, time.Second, 6 * time.Millisecond},
		},
		"OpenAI, a limit of a day": {
			map[string]string{
				"x-ratelimit-limit-requests": "200", "x-ratelimit-remaining-requests": "199", "x-ratelimit-reset-requests": "7m12s",
			},
			Header{-1, -1, 199, -1, 7*time.Minute + 12*time.Second, 0},
		},
		"Groq": {
			map[string]string{
				"x-ratelimit-limit-requests": "14400", "x-ratelimit-remaining-requests": "14370",
				"x-ratelimit-reset-requests": "2m59.56s", "x-ratelimit-limit-tokens": "18000",
				"x-ratelimit-remaining-tokens": "17997", "x-ratelimit-reset-tokens": "7.66s",
			},
			Header{-1, 18000, 14370, 17997, 2*time.Minute + 59560*time.Millisecond, 7660 * time.Millisecond},
		},
		"Anthropic": {
			map[string]string{
				"anthropic-ratelimit-requests-limit": "1000", "anthropic-ratelimit-requests-remaining": "999",
				"anthropic-ratelimit-requests-reset": "2026-03-01T12:00:01Z", "anthropic-ratelimit-tokens-limit": "96000",
				"anthropic-ratelimit-tokens-remaining": "0", "anthropic-ratelimit-tokens-reset": "2026-03-01T12:00:59Z",
			},
			Header{1000, 96000, 999, 0, time.Second, 59 * time.Second},
		},
		"Mistral": {
			map[string]string{
				"x-ratelimit-limit-req-minute": "60", "x-ratelimit-remaining-req-minute": "59",
				"x-ratelimit-limit-tokens-minute": "50000", "x-ratelimit-remaining-tokens-minute": "47196",
			},
			Header{60, 50000, 59, 47196, 0, 0},
		},
		"OpenRouter": {
			map[string]string{
				"X-RateLimit-Limit": "20", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1772366430500",
			},
			Header{-1, -1, 0, -1, 30500 * time.Millisecond, 0},
		},
		"seconds since 1970": {
			map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1772366430"},
			Header{-1, -1, 0, -1, 30 * time.Second, 0},
		},
		"a reset alone": {
			map[string]string{"x-ratelimit-reset-requests": "3"}, Header{-1, -1, -1, -1, 3 * time.Second, 0},
		},
		"nonsense": {
			map[string]string{
				"x-ratelimit-limit-requests": "lots", "x-ratelimit-remaining-requests": "-1", "x-ratelimit-reset-requests": "NaN",
				"x-ratelimit-limit-tokens": "1e9", "x-ratelimit-remaining-tokens": "99999999999999999999",
			},
			noHeader,
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := http.Header{"Date": {date}}
			for key, value := range test.header {
				h.Set(key, value)
			}
			require.Equal(t, test.want, readHeader(h, time.Now()))
		})
	}
}

func TestDatesAreReadByTheServersClock(t *testing.T) {
	for _, now := range []time.Time{
		time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		h := http.Header{
			"Date":        {"Sun, 01 Mar 2026 12:00:00 GMT"},
			"Retry-After": {"Sun, 01 Mar 2026 12:00:30 GMT"},
		}
		require.Equal(t, 30*time.Second, retryAfter(429, h, noHeader, now), "now is %v", now)

		h["Retry-After"] = []string{"Sun, 01 Mar 2026 11:59:30 GMT"}
		require.Zero(t, retryAfter(429, h, noHeader, now), "now is %v", now)
	}
	h := http.Header{"Retry-After": {"Sun, 01 Mar 2026 12:00:30 GMT"}, "Date": {"yesterday"}}
	require.Equal(t, 20*time.Second, retryAfter(429, h, noHeader, time.Date(2026, 3, 1, 12, 0, 10, 0, time.UTC)))
}

func FuzzLimitsAreCountsAndWaits(f *testing.F) {
	f.Add("60", "59", "6m0s", "Sun, 01 Mar 2026 12:00:00 GMT")
	f.Add("-1", "1e9", "1772366430500", "")
	f.Add("99999999999999999999", " 7 ", "2026-03-01T12:00:59Z", "Thu, 01 Jan 1970 00:00:00 GMT")
	f.Add("", "0", "1e308", "Fri, 31 Dec 9999 23:59:59 GMT")
	f.Fuzz(func(t *testing.T, limit, remaining, reset, date string) {
		families := [][]limitNames{requestNames[:], tokenNames[:]}
		for _, family := range families {
			for _, names := range family {
				h := http.Header{
					"Date": {date}, names.limit: {limit}, names.remaining: {remaining}, names.reset: {reset}, "Retry-After": {reset},
				}
				got := readHeader(h, time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
				for _, n := range []int{got.LimitRequests, got.LimitTokens, got.RemainingRequests, got.RemainingTokens} {
					if n < -1 {
						t.Fatalf("got %+v", got)
					}
				}
				demanded := retryAfter(429, h, got, time.Now())
				for _, d := range []time.Duration{got.ResetRequests, got.ResetTokens, demanded} {
					if d < 0 || d > maxRetryAfter {
						t.Fatalf("got %+v and %v", got, demanded)
					}
				}
			}
		}
	})
}

func TestNamesOfLimitsAreCanonical(t *testing.T) {
	for _, names := range append(requestNames[:], tokenNames[:]...) {
		for _, name := range []string{names.limit, names.remaining, names.reset} {
			require.Equal(t, http.CanonicalHeaderKey(name), name)
			require.True(t, name == "" || tellsLimits(http.Header{name: {"1"}}), name)
		}
	}
}
