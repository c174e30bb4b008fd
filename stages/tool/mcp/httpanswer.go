package mcp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
)

// A jsonAnswer is the body of a call's answer, or an error in its place. It is read as a whole when the SDK asks for its
// beginning: in a goroutine of that answer, so that a slow one holds up nothing.
type jsonAnswer struct {
	body io.Reader
	size int64 // below 0: not known
	call jsonrpc.ID
	max  int64
	text *bytes.Reader
}

func (a *jsonAnswer) Read(p []byte) (int, error) {
	if a.text == nil {
		data, err := a.load()
		if err != nil {
			data = failed(a.call, err)
		}
		a.text = bytes.NewReader(data)
	}
	return a.text.Read(p)
}

func (a *jsonAnswer) load() ([]byte, error) {
	if a.size > a.max {
		return nil, fmt.Errorf("the answer has %d bytes, more than the %d that are read", a.size, a.max)
	}
	data, err := io.ReadAll(io.LimitReader(a.body, a.max+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("the answer broke off after %d bytes: %w; %s", len(data), err, unknownEffect)
	case int64(len(data)) > a.max:
		return nil, fmt.Errorf("the answer has more than the %d bytes that are read", a.max)
	}
	message, err := jsonrpc.DecodeMessage(data)
	if err != nil {
		return nil, fmt.Errorf("the answer is not a JSON-RPC message: %w", err)
	}
	if response, ok := message.(*jsonrpc.Response); !ok || response.ID != a.call {
		return nil, errors.New("the answer is to another call")
	}
	return data, nil
}

// failed is a JSON-RPC answer that says what is wrong with the real one.
func failed(call jsonrpc.ID, err error) []byte {
	data, encoding := jsonrpc.EncodeMessage(&jsonrpc.Response{
		ID: call, Error: &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: err.Error()},
	})
	if encoding != nil { // an id and a text can always be written
		panic(fmt.Sprintf("gluepipe: encoding an error: %v", encoding))
	}
	return data
}

// failedAnswer is the whole answer to a call that got none.
func failedAnswer(req *http.Request, call jsonrpc.ID, err error) *http.Response {
	resp := &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}}, Request: req,
	}
	return withBody(resp, failed(call, err))
}
