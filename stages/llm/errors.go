package llm

import (
	"cmp"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/sashabaranov/go-openai"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// apiError shows an API's error to people. The *openai.APIError in its chain has the parts.
type apiError struct {
	text string
	api  *openai.APIError
}

func (e *apiError) Error() string { return e.text }
func (e *apiError) Unwrap() error { return e.api }

// newAPIError makes the error of an answer that is one, from its status, its headers and what its body says.
func newAPIError(status int, header http.Header, body providerError, now time.Time) *Error {
	body.clip()
	if status == http.StatusOK && body.status != 0 {
		status = body.status // a router that had begun to answer puts the status it would have sent into the body
	}
	kind, retryable := classify(status, body)
	limits := readHeader(header, now)
	now = clock(header, now)
	inside := retryAfter(status, body.headers, readHeader(body.headers, now), now)
	return &Error{
		Kind: kind, Status: status, Code: cmp.Or(body.code, body.kind), RequestID: requestID(header), Retryable: retryable,
		RetryAfter: max(retryAfter(status, header, limits, now), inside, body.retryDelay),
		Header:     limits,
		Err:        &apiError{text: body.text(status), api: body.api(status)},
	}
}

// answerError makes the error of an answer with a good status that is no good itself.
func answerError(kind batch.ErrorKind, retryable bool, format string, args ...any) *Error {
	return &Error{
		Kind: kind, Retryable: retryable, Header: noHeader,
		Err: fmt.Errorf(format, args...),
	}
}

// maxNameBytes is room for any code, id or model's name. What is longer is cut, since errors are kept, logged and written.
const maxNameBytes = 200

func (p *providerError) clip() {
	p.message = clip(p.message, 64<<10)
	for _, name := range [...]*string{&p.kind, &p.code, &p.inner, &p.param} {
		*name = clip(*name, maxNameBytes)
	}
}

func (p *providerError) api(status int) *openai.APIError {
	e := &openai.APIError{
		Message: p.message, Type: p.kind, HTTPStatusCode: status, HTTPStatus: statusLine(status),
	}
	if p.code != "" {
		e.Code = p.code
	} else if p.status != 0 {
		e.Code = p.status
	}
	if p.param != "" {
		e.Param = &p.param
	}
	if p.inner != "" {
		e.InnerError = &openai.InnerError{Code: p.inner}
	}
	return e
}

// text reads like "429 Too Many Requests: Rate limit reached (code rate_limit_exceeded)".
func (p *providerError) text(status int) string {
	text := statusLine(status)
	if status == http.StatusOK {
		text += " with an error"
	}
	if p.message != "" {
		text += ": " + shorten(p.message, 1000)
	}
	switch code := cmp.Or(p.code, p.kind); {
	case code == "":
	case p.inner != "" && p.inner != code:
		text += fmt.Sprintf(" (code %s, %s)", code, p.inner)
	default:
		text += fmt.Sprintf(" (code %s)", code)
	}
	return text
}

func statusLine(status int) string {
	line := strconv.Itoa(status)
	if text := http.StatusText(status); text != "" {
		line += " " + text
	}
	return line
}
