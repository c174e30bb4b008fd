package llm

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/internal/jsonappend"
)

// AppendBody appends the JSON body that a client sends for call: model, messages, tools, response_format (for
// embeddings model and input), then the params in the order of their names. What the call says is written as it says
// it: zeros, nulls, false and unknown fields stay, and numbers keep their digits. A model's provider prefix is left
// out.
//
// It fails with [batch.ErrInvalidRequest] where a part isn't JSON, where params repeat a field that the call has, or where
// they ask for a stream.
func AppendBody(dst []byte, call *Call) ([]byte, error) {
	_, model := SplitModel(call.Model)
	return appendBody(dst, model, call)
}

func appendBody(dst []byte, model string, call *Call) ([]byte, error) {
	if err := checkParams(call); err != nil {
		return dst, batch.ErrInvalidRequest.Wrap(err)
	}
	dst = jsonappend.String(append(dst, `{"model":`...), model)
	var err error
	if call.Input != nil {
		dst, err = appendRaw(dst, "input", call.Input)
	} else {
		dst, err = appendChat(dst, call)
	}
	if err == nil {
		if dst, err = jsonappend.Members(dst, call.Params); err != nil {
			err = fmt.Errorf("params: %w", err)
		}
	}
	if err != nil {
		return dst, batch.ErrInvalidRequest.Wrap(err)
	}
	return append(dst, '}'), nil
}

func appendChat(dst []byte, call *Call) ([]byte, error) {
	dst, err := appendMessages(jsonappend.Key(dst, "messages"), call.Messages)
	if err == nil && len(call.Tools) > 0 {
		dst, err = appendTools(jsonappend.Key(dst, "tools"), call.Tools)
	}
	if err == nil && call.ResponseFormat != nil {
		dst, err = appendRaw(dst, "response_format", call.ResponseFormat)
	}
	return dst, err
}

func appendRaw(dst []byte, name string, raw []byte) ([]byte, error) {
	dst, err := jsonappend.Raw(jsonappend.Key(dst, name), raw)
	if err != nil {
		return dst, fmt.Errorf("%s: %w", name, err)
	}
	return dst, nil
}

// checkParams refuses params that would stand in the body twice, since servers differ in which of the two they take.
func checkParams(call *Call) error {
	if len(call.Params) == 0 {
		return nil
	}
	for _, field := range [...]struct {
		name string
		set  bool
	}{
		{"model", true},
		{"input", call.Input != nil},
		{"messages", call.Input == nil},
		{"tools", call.Input == nil && len(call.Tools) > 0},
		{"response_format", call.Input == nil && call.ResponseFormat != nil},
	} {
		if _, twice := call.Params[field.name]; twice && field.set {
			return fmt.Errorf("params: %q is a field of the request itself: set it there", field.name)
		}
	}
	if stream, ok := call.Params["stream"]; ok {
		if text, err := jsonappend.Value(nil, stream); err == nil && bytes.Equal(text, []byte("true")) {
			return errors.New(`params: "stream": answers are read whole: leave it out`)
		}
	}
	return nil
}

func appendMessages(dst []byte, messages []batch.Message) ([]byte, error) {
	dst = append(dst, '[')
	var err error
	for i := range messages {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = messages[i].AppendJSON(dst); err != nil {
			return dst, fmt.Errorf("message %d: %w", i+1, err)
		}
	}
	return append(dst, ']'), nil
}

func appendTools(dst []byte, tools []batch.Tool) ([]byte, error) {
	dst = append(dst, '[')
	var err error
	for i := range tools {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = tools[i].AppendDefinition(dst); err != nil {
			return dst, fmt.Errorf("tool %d: %w", i+1, err)
		}
	}
	return append(dst, ']'), nil
}
