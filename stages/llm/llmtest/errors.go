package llmtest

import (
	"fmt"
	"net/http"
	"time"

	"github.com/gluepipe/gluepipe/stages/internal/jsonappend"
)

// Error answers with a status and an error object as OpenAI writes it, such as Error(400, "context_length_exceeded", "...").
// Its type follows from the status; code may be "", which is null.
func Error(status int, code, message string) *Answer {
	kind := "invalid_request_error"
	switch {
	case status == http.StatusTooManyRequests:
		kind = "requests"
	case status >= http.StatusInternalServerError:
		kind = "server_error"
	}
	return errorAnswer(status, kind, code, "", message)
}

// RateLimited is a 429 whose headers ask for a wait: retry-after-ms, and from a second on Retry-After in seconds rounded up.
// It comes at once, as a limiter's answers do.
func RateLimited(wait time.Duration) *Answer {
	a := rateLimited(wait)
	a.Header = http.Header{"Retry-After-Ms": {roundUp(wait, time.Millisecond)}}
	if wait >= time.Second {
		a.Header.Set("Retry-After", roundUp(wait, time.Second))
	}
	return a
}

// rateLimited is the 429 without the headers.
func rateLimited(wait time.Duration) *Answer {
	a := Error(http.StatusTooManyRequests, "rate_limit_exceeded",
		fmt.Sprintf("Rate limit reached for requests. Please try again in %v.", wait))
	a.Delay = -1
	return a
}

func tooManyAtOnce(limit int) *Answer {
	return Error(http.StatusTooManyRequests, "rate_limit_exceeded",
		fmt.Sprintf("Too many concurrent requests: at most %d are answered at once.", limit))
}

// QuotaExceeded is the 429 that no wait will cure: no credit is left.
func QuotaExceeded() *Answer {
	return errorAnswer(http.StatusTooManyRequests, "insufficient_quota", "insufficient_quota", "",
		"You exceeded your current quota, please check your plan and billing details.")
}

func badRequest(code, param, message string) *Answer {
	return errorAnswer(http.StatusBadRequest, "invalid_request_error", code, param, message)
}

func invalidKey() *Answer {
	return Error(http.StatusUnauthorized, "invalid_api_key", "Incorrect API key provided.")
}

// serverError is a 500 or a 503.
func serverError(random uint64) *Answer {
	if random%2 == 0 {
		return internalError()
	}
	return unavailable()
}

func internalError() *Answer {
	return Error(http.StatusInternalServerError, "", "The server had an error while processing your request.")
}

func unavailable() *Answer {
	return Error(http.StatusServiceUnavailable, "", "The engine is currently overloaded, please try again later.")
}

func errorAnswer(status int, kind, code, param, message string) *Answer {
	body := jsonappend.String([]byte(`{"error":{"message":`), message)
	body = jsonappend.String(append(body, `,"type":`...), kind)
	body = appendOrNull(append(body, `,"param":`...), param)
	body = appendOrNull(append(body, `,"code":`...), code)
	return &Answer{Status: status, Body: append(body, "}}"...)}
}

func appendOrNull(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, "null"...)
	}
	return jsonappend.String(dst, s)
}
