package llm

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// noHeader is what is known of the limits where there was no answer.
var noHeader = Header{LimitRequests: -1, LimitTokens: -1, RemainingRequests: -1, RemainingTokens: -1}

// limitNames are the headers in which one family of servers says what is left of a limit.
type limitNames struct{ limit, remaining, reset string }

// The families, the commonest first. What none of them says of a limit is unknown.
//
//   - OpenAI, and who follows it: https://platform.openai.com/docs/guides/rate-limits
//   - Anthropic, whose resets are dates: https://platform.claude.com/docs/en/api/rate-limits
//   - Mistral, which tells no resets: https://github.com/mistralai/client-ts/issues/169
//   - OpenRouter, whose reset is in milliseconds since 1970: https://openrouter.ai/docs/api/reference/limits. Its limit is not
//     read, since it may be of a minute or of a day and doesn't say which.
var (
	requestNames = [...]limitNames{
		{"X-Ratelimit-Limit-Requests", "X-Ratelimit-Remaining-Requests", "X-Ratelimit-Reset-Requests"},
		{"Anthropic-Ratelimit-Requests-Limit", "Anthropic-Ratelimit-Requests-Remaining", "Anthropic-Ratelimit-Requests-Reset"},
		{"X-Ratelimit-Limit-Req-Minute", "X-Ratelimit-Remaining-Req-Minute", ""},
		{"", "X-Ratelimit-Remaining", "X-Ratelimit-Reset"},
	}
	tokenNames = [...]limitNames{
		{"X-Ratelimit-Limit-Tokens", "X-Ratelimit-Remaining-Tokens", "X-Ratelimit-Reset-Tokens"},
		{"Anthropic-Ratelimit-Tokens-Limit", "Anthropic-Ratelimit-Tokens-Remaining", "Anthropic-Ratelimit-Tokens-Reset"},
		{"X-Ratelimit-Limit-Tokens-Minute", "X-Ratelimit-Remaining-Tokens-Minute", ""},
	}
)

// readHeader reads what an answer's headers say of limits.
func readHeader(h http.Header, now time.Time) Header {
	limits := noHeader
	if !tellsLimits(h) {
		return limits
	}
	now = clock(h, now)
	limits.LimitRequests, limits.RemainingRequests, limits.ResetRequests = readLimit(h, requestNames[:], now)
	limits.LimitTokens, limits.RemainingTokens, limits.ResetTokens = readLimit(h, tokenNames[:], now)
	return limits
}

// tellsLimits looks at the few headers that there are, where most answers have none of the many that it could be.
func tellsLimits(h http.Header) bool {
	for name := range h {
		if strings.HasPrefix(name, "X-Ratelimit-") || strings.HasPrefix(name, "Anthropic-Ratelimit-") {
			return true
		}
	}
	return false
}

// headerValue returns a header by its name in canonical form, which [http.Header.Get] would check each time.
func headerValue(h http.Header, name string) string {
	if values := h[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

func readLimit(h http.Header, families []limitNames, now time.Time) (limit, remaining int, reset time.Duration) {
	for _, names := range families {
		limit, remaining = parseCount(headerValue(h, names.limit)), parseCount(headerValue(h, names.remaining))
		reset = parseReset(headerValue(h, names.reset), now)
		if limit < 0 && remaining < 0 && reset == 0 {
			continue
		}
		// What takes longer than a minute to be whole again is no limit of a minute, but of a day: Groq's always, OpenAI's for
		// some. https://console.groq.com/docs/rate-limits
		if reset > time.Minute+time.Second { // dates are in whole seconds
			limit = -1
		}
		return limit, remaining, reset
	}
	return -1, -1, 0
}

// clock is the time by the server's own clock, so that a date is as far away as the server means, whatever the time here.
func clock(h http.Header, now time.Time) time.Time {
	if date := headerValue(h, "Date"); date != "" {
		if t, err := http.ParseTime(date); err == nil {
			return t
		}
	}
	return now
}

// parseCount returns -1 for what isn't a count.
func parseCount(s string) int {
	if s == "" {
		return -1 // as most are; an error costs more
	}
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// parseReset reads what parseWait does, and takes a number that is too large for a wait as a time since 1970, in seconds or
// milliseconds.
func parseReset(s string, now time.Time) time.Duration {
	if s == "" {
		return 0
	}
	const year2001 = 1e9 // in seconds; in milliseconds it is a thousand times that
	n, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || !(n >= year2001) { // NaN too
		return parseWait(s, now)
	}
	if n < year2001*1000 {
		n *= 1000
	}
	return wait(n-float64(now.UnixMilli()), time.Millisecond)
}

// headerOf makes headers of those that OpenRouter puts into the body of an error.
func headerOf(values map[string]any) http.Header {
	h := http.Header{}
	for name, value := range values {
		if text, ok := value.(string); ok {
			h.Set(name, text)
		}
	}
	return h
}

// requestID returns the id under which the provider's support finds the call. Each provider has a header of its own.
func requestID(h http.Header) string {
	id := cmp.Or(headerValue(h, "X-Request-Id"), headerValue(h, "Request-Id"), headerValue(h, "Apim-Request-Id"))
	return clip(id, maxNameBytes)
}
