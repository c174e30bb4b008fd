package batch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/gluepipe/gluepipe/stages/internal/jsonappend"
)

// Tool is something a model can ask to have called. Most are made with tool.New from a typed Go function.
//
// In JSON a tool is its name alone where the run knows it, or its definition as a chat completions request has it.
type Tool struct {
	Name        string
	Description string
	Parameters  json.RawMessage // the JSON schema of the arguments; nil means an object without properties
	ReadOnly    bool            // it changes nothing in the world
	Destructive bool            // what it changes may be lost: it deletes, overwrites, sends
	// Server names what the tool belongs to and runs in, such as an MCP server; "" for a tool by itself.
	Server string
	// Timeout is of one call; 0: the run's, below 0: none.
	Timeout time.Duration
	// Acquire, if set, waits until the tool can take one more call, and returns how its place is given back; its error is the
	// call's failure. The wait is no part of the call's timeout. It ends with ctx.
	Acquire func(ctx context.Context) (release func(), err error)
	// Call runs the tool. arguments is a JSON object. The text it returns, or its error's text, is the answer to the model.
	// It may be called by many goroutines at once and should return when ctx ends. nil is a definition without code: the
	// model's calls of it are returned in the result.
	Call func(ctx context.Context, arguments json.RawMessage) (string, error)
	// Raw, if set, is the definition sent to the model instead of one made from the fields above.
	Raw json.RawMessage
}

// isReference tells a tool that is only named from one that is defined.
func (t *Tool) isReference() bool {
	return t.Raw == nil && t.Parameters == nil && t.Description == "" && t.Call == nil
}

// AppendDefinition appends the tool as it stands in the tools of a chat completions request. It fails only where
// Parameters or Raw is not JSON; dst then comes back as it was.
func (t *Tool) AppendDefinition(dst []byte) ([]byte, error) {
	if t.Raw != nil {
		dst, err := jsonappend.Raw(dst, t.Raw)
		if err != nil {
			return dst, fmt.Errorf("definition of tool %q: %w", t.Name, err)
		}
		return dst, nil
	}
	start := len(dst)
	var err error
	dst = jsonappend.String(append(dst, `{"type":"function","function":{"name":`...), t.Name)
	if t.Description != "" {
		dst = jsonappend.String(jsonappend.Key(dst, "description"), t.Description)
	}
	if dst = jsonappend.Key(dst, "parameters"); t.Parameters == nil {
		dst = append(dst, `{"type":"object","properties":{}}`...)
	} else if dst, err = jsonappend.Raw(dst, t.Parameters); err != nil {
		return dst[:start], fmt.Errorf("parameters of tool %q: %w", t.Name, err)
	}
	return append(dst, '}', '}'), nil
}

// MarshalJSON writes the tool's name if that is all there is, else its definition.
func (t Tool) MarshalJSON() ([]byte, error) { return t.appendJSON(nil) }

func (t *Tool) appendJSON(dst []byte) ([]byte, error) {
	if t.isReference() {
		return jsonappend.String(dst, t.Name), nil
	}
	return t.AppendDefinition(dst)
}

// UnmarshalJSON reads a tool's name, or its definition: {"type": "function", "function": {"name": ...}}, or the inner
// object alone. A definition of another type (a provider's own tool) is kept in Raw as it is.
func (t *Tool) UnmarshalJSON(data []byte) error {
	*t = Tool{}
	if trimmed := trimJSON(data); (len(trimmed) == 0 || trimmed[0] != '{') && json.Unmarshal(data, &t.Name) == nil {
		if t.Name == "" {
			return errors.New("a tool needs a name")
		}
		return nil
	}
	var room room
	o, err := readObject(data, &room)
	if err != nil {
		return fmt.Errorf("want a tool's name or its definition, got %s", excerpt(data))
	}
	var kind string
	o.text("type", &kind)
	function, nested := o.take("function")
	switch {
	case o.failure() != nil:
		return o.failure()
	case nested:
		t.Raw = bytes.Clone(data)
		if o, err = readObject(function, &room); err != nil {
			return fmt.Errorf("field %q: %w", "function", err)
		}
	case kind != "" && kind != "function":
		t.Raw = bytes.Clone(data)
		return nil
	default:
		if t.Raw, err = jsonappend.Map([]byte(`{"type":"function","function":`), o.rest()); err != nil {
			return err
		}
		t.Raw = append(t.Raw, '}')
	}
	o.text("name", &t.Name)
	o.text("description", &t.Description)
	o.raw("parameters", &t.Parameters)
	if o.failure() == nil && t.Name == "" {
		return fmt.Errorf("a tool's definition needs a name, got %s", excerpt(data))
	}
	return o.failure()
}
