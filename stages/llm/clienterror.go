package llm

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// networkError is the error of a call that got no whole answer.
func (c *Client) networkError(ctx context.Context, doing string, err error) *Error {
	if ctx.Err() != nil {
		return contextError(ctx)
	}
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err // its text has the whole URL, in which there may be a secret
	}
	e := networkFailure(err, batch.ErrAPIConnection) // whatever broke did so on the way
	e.Err = c.secrets.error(fmt.Errorf("%s: %w", doing, e.Err))
	return e
}

// statusError is the error of an answer whose status says that the call failed.
func (c *Client) statusError(call *Call, resp *http.Response, body []byte) *Error {
	body = c.secrets.body(body)
	parsed, ok := parseErrorBody(body)
	switch {
	case ok:
		c.secrets.errorBody(&parsed)
	case redirects(resp.StatusCode):
		parsed.message = c.secrets.text(redirectText(resp.Header.Get("Location")))
	default:
		parsed.message = c.secrets.text(readable(body))
	}
	e := newAPIError(resp.StatusCode, resp.Header, parsed, time.Now())
	e.Raw = raw(call, resp, body)
	return e
}

func redirects(status int) bool { return status >= 300 && status < 400 }

// redirectText names where a redirect leads, without what may be secret in it.
func redirectText(location string) string {
	u, err := url.Parse(location)
	if err != nil || location == "" {
		return "redirects are not followed: set the base URL to where the server is"
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return fmt.Sprintf("redirects are not followed: it leads to %s: set the base URL to match", u)
}
