package llm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
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
	e.Err = c.hideKey(fmt.Errorf("%s: %w", doing, err))
	return e
}

// statusError is the error of an answer whose status says that the call failed.
func (c *Client) statusError(call *Call, resp *http.Response, body []byte) *Error {
	body = c.redact(body)
	parsed, ok := parseErrorBody(body)
	switch {
	case ok:
		c.redactError(&parsed)
	case resp.StatusCode < 400:
		parsed.message = c.redactText(redirectText(resp.Header.Get("Location")))
	default:
		parsed.message = readable(body)
	}
	e := newAPIError(resp.StatusCode, resp.Header, parsed, time.Now())
	e.Raw = raw(call, resp, body)
	return e
}

// redirectText names where a redirect leads, without what may be secret in it.
func redirectText(location string) string {
	u, err := url.Parse(location)
	if err != nil || location == "" {
		return "redirects are not followed: set the base URL to where the server is"
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return fmt.Sprintf("redirects are not followed: it leads to %s: set the base URL to match", u)
}

const redacted = "[redacted]"

// redact takes the key out of an answer: servers repeat what they were sent. Some JSON encoders escape slashes.
func (c *Client) redact(body []byte) []byte {
	if c.key == "" {
		return body
	}
	body = bytes.ReplaceAll(body, []byte(c.key), []byte(redacted))
	return bytes.ReplaceAll(body, []byte(strings.ReplaceAll(c.key, "/", `\/`)), []byte(redacted))
}

func (c *Client) redactText(text string) string {
	if c.key == "" {
		return text
	}
	return strings.ReplaceAll(text, c.key, redacted)
}

// redactError finds what the JSON had escaped.
func (c *Client) redactError(p *providerError) {
	for _, text := range [...]*string{&p.message, &p.kind, &p.code, &p.inner, &p.param} {
		*text = c.redactText(*text)
	}
}

// hideKey cuts an error off from its chain where its text holds the key.
func (c *Client) hideKey(err error) error {
	if text := err.Error(); c.redactText(text) != text {
		return errors.New(c.redactText(text))
	}
	return err
}
