package llm

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// broken is the error of a body that is not the JSON of an answer, what being what was asked for. Its text holds
// nothing that a model wrote, unless the body is no JSON at all.
func (c *Client) broken(what, status string, body []byte, err error) *Error {
	fail := func(format string, args ...any) *Error {
		return answerError(batch.ErrServer, true, status+": the answer"+format, args...)
	}
	if mistyped, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if mistyped.Field == "" {
			return fail(" is JSON, but no %s", what)
		}
		return fail(" is no %s: field %q has a wrong type", what, mistyped.Field)
	}
	var syntax *json.SyntaxError
	switch text := bytes.TrimSpace(body); {
	case streams(text):
		return fail(" is a stream of events, though none was asked for")
	case text[0] != '{' && text[0] != '[':
		return fail(" is not JSON: %s", readable(c.secrets.body(body)))
	case errors.As(err, &syntax) && syntax.Offset >= int64(len(bytes.TrimRight(body, " \t\r\n"))):
		return fail("'s JSON ends early, after %d bytes", len(body))
	}
	return fail("'s JSON is broken")
}

// streams recognises server-sent events.
func streams(text []byte) bool {
	for _, start := range [...]string{"data:", "event:", "id:", "retry:", ":"} {
		if bytes.HasPrefix(text, []byte(start)) {
			return true
		}
	}
	return false
}

// errorInside returns the error that stands in an answer with a good status, or nil.
func (c *Client) errorInside(w *wireAnswer, body []byte) *Error {
	switch {
	case !isBlank(w.Error):
	case len(w.Choices) == 0:
		if _, ok := parseErrorBody(body); !ok {
			return nil
		}
	case !isBlank(w.Choices[0].Error):
		body = append(append([]byte(`{"error":`), w.Choices[0].Error...), '}')
	default:
		return nil
	}
	parsed, _ := parseErrorBody(c.secrets.body(body))
	c.secrets.errorBody(&parsed)
	e := newAPIError(http.StatusOK, nil, parsed, time.Now())
	e.Usage, e.CostUSD = w.Usage.tokens(), w.Usage.cost()
	return e
}
