package mcp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"unicode"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
)

// maxRefusal bounds how much is read of an answer that is not one: enough for a JSON-RPC error.
const maxRefusal = 64 << 10

// refusal says what a status outside 2xx means. An answer that is returned is for the SDK to make something of.
func refusal(req *http.Request, resp *http.Response, call jsonrpc.ID) (*http.Response, error) {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxRefusal)) // what can be read of it is enough
	resp.Body.Close()
	answer := errorIn(body)
	isCalls := answer != nil && call.IsValid() && answer.ID == call
	switch {
	case sessionGone(req, resp.StatusCode, body) && (!isCalls || isOfSession(answer)):
		if call.IsValid() {
			deliveryIn(req.Context()).refused.Store(true)
		}
		// The SDK knows an ended session by a 404, and by its body's error only if that is none of JSON-RPC.
		resp.StatusCode, resp.Status = http.StatusNotFound, "404 Not Found"
		return withBody(resp, nil), nil
	case isCalls: // with another status than 200, the SDK would leave out of some what they say
		return withBody(failedAnswer(req, call, answer.Error), body), nil
	case req.Header.Get(lastEventHeader) != "" && isPassing(resp.StatusCode):
		// The SDK tries again to go on with a stream after an error, but gives up the session after a status.
		return nil, errors.New("HTTP " + resp.Status)
	case req.Method != http.MethodPost:
		return withBody(resp, nil), nil
	}
	status := "HTTP " + resp.Status
	switch resp.StatusCode {
	case http.StatusUnauthorized:
		return nil, fmt.Errorf("%s: the server wants a key or a token, or another one: give it in a header", status)
	case http.StatusForbidden:
		return nil, fmt.Errorf("%s: the server doesn't allow this with the headers that it is given", status)
	}
	switch text := oneLine(body); {
	case answer != nil:
		status += ": " + oneLine([]byte(answer.Error.Error()))
	case resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusMethodNotAllowed:
		return nil, fmt.Errorf("%s: there is no MCP server (streamable HTTP) at this path of %s", status, origin(req.URL))
	case text != "":
		status += ": " + text
	}
	return nil, errors.New(status)
}

// errorIn returns the JSON-RPC error that a body is, or nil.
func errorIn(body []byte) *jsonrpc.Response {
	message, err := jsonrpc.DecodeMessage(body)
	if answer, ok := message.(*jsonrpc.Response); err == nil && ok && answer.Error != nil {
		return answer
	}
	return nil
}

// sessionGone tells whether the server has forgotten the session: by 404, as the protocol has it, or by 400 and a word
// about it, as its reference servers do.
func sessionGone(req *http.Request, status int, body []byte) bool {
	if req.Header.Get(sessionHeader) == "" {
		return false
	}
	return status == http.StatusNotFound ||
		status == http.StatusBadRequest && bytes.Contains(bytes.ToLower(body), []byte("session"))
}

// isOfSession tells an error about a call's session, for which servers have these codes, from the call's own: there are tools
// that have sessions, of a browser say.
func isOfSession(answer *jsonrpc.Response) bool {
	const plain, notFound = -32000, -32001
	code, ok := errors.AsType[*jsonrpc.Error](answer.Error)
	return ok && (code.Code == plain || code.Code == notFound)
}

// isPassing tells a status that may be another one soon: of a server, or a proxy before it, that is busy or starting.
func isPassing(status int) bool { return status >= 500 || status == http.StatusTooManyRequests }

// oneLine is the beginning of a text for an error, without what would upset a terminal; "" if it is a page.
func oneLine(body []byte) string {
	const limit = 200
	text := strings.TrimSpace(string(body[:min(len(body), 4*limit)]))
	if strings.HasPrefix(text, "<") {
		return ""
	}
	text = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, ""), func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r)
	}), " ")
	if runes := []rune(text); len(runes) > limit {
		return string(runes[:limit]) + "..."
	}
	return text
}

func withBody(resp *http.Response, body []byte) *http.Response {
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return resp
}
