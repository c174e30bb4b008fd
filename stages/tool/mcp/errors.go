package mcp

import (
	"errors"
	"net/url"
	"regexp"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
)

// answeredBy returns the error that a call was answered with; nil where err isn't an answer.
func answeredBy(err error) *jsonrpc.Error {
	answer, _ := errors.AsType[*jsonrpc.Error](err)
	return answer
}

// internals are what the SDK puts around an error that says nothing to whoever reads it here.
var internals = regexp.MustCompile(`(?:calling|sending) "[^"]*": |rejected by transport: | \(session ID: [^)]*\)`)

// plain returns err without the protocol's internals and without URLs, which may hold secrets.
func plain(err error) error {
	if request, ok := errors.AsType[*url.Error](err); ok {
		err = request.Err
	}
	if text := internals.ReplaceAllString(err.Error(), ""); text != err.Error() {
		return errors.New(text)
	}
	return err
}
