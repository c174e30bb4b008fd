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

// AppendDefinition appends the tool as it stands in the tools of a chat completions request.
func (t *Tool) AppendDefinition(dst []byte) ([]byte, error) {
	if t.Raw != nil {
		return jsonappend.Raw(dst, t.Raw)
	}
	var err error
	dst = jsonappend.String(append(dst, `{"type":"function","function":{"name":`...), t.Name)
	if t.Description != "" {
		dst = jsonappend.String(jsonappend.Key(dst, "description"), t.Description)
	}
	if dst = jsonappend.Key(dst, "parameters"); t.Parameters == nil {
		dst = append(dst, `{"type":"object","properties":{}}`...)
	} else if dst, err = jsonappend.Raw(dst, t.Parameters); err != nil {
		return dst, fmt.Errorf("parameters of tool %q: %w", t.Name, err)
	}
	return append(dst, '}', '}'), nil
}

// MarshalJSON writes the tool's name if that is all there is, else its definition.
func (t Tool) MarshalJSON() ([]byte, error) {
	if t.isReference() {
		return jsonappend.String(nil, t.Name), nil
	}
	return t.AppendDefinition(nil)
}

// UnmarshalJSON reads a tool's name, or its definition: {"type": "function", "function": {"name": ...}}, or the inner
// object alone. A definition of another type (a provider's own tool) is kept in Raw as it is.
func (t *Tool) UnmarshalJSON(data []byte) error {
	*t = Tool{}
	if json.Unmarshal(data, &t.Name) == nil {
		if t.Name == "" {
			return errors.New("a tool needs a name")
		}
		return nil
	}
	type function struct {
		Name        string          `json:"name"`
		Description string          `json:"description"`
		Parameters  json.RawMessage `json:"parameters"`
	}
	var definition struct {
		Type     string    `json:"type"`
		Function *function `json:"function"`
		function
	}
	if err := json.Unmarshal(data, &definition); err != nil {
		return fmt.Errorf("want a tool's name or its definition, got %s", excerpt(data))
	}
	inner := definition.Function
	switch {
	case inner != nil:
		t.Raw = bytes.Clone(data)
	case definition.Type != "" && definition.Type != "function":
		t.Raw = bytes.Clone(data)
		return nil
	default:
		inner = &definition.function
		t.Raw = append(append([]byte(`{"type":"function","function":`), data...), '}')
	}
	if inner.Name == "" {
		return fmt.Errorf("a tool's definition needs a name, got %s", excerpt(data))
	}
	t.Name, t.Description, t.Parameters = inner.Name, inner.Description, inner.Parameters
	return nil
}

// ToolExecution tells how one tool call of a conversation went.
type ToolExecution struct {
	ToolName    string
	Arguments   json.RawMessage // as the model sent them; a JSON string where they were not JSON
	Result      string          // the answer given to the model
	Error       bool            // the tool failed; Result says how
	ElapsedTime time.Duration
}

type toolExecutionJSON struct {
	ToolName    string          `json:"tool_name"`
	Arguments   json.RawMessage `json:"arguments"`
	Result      string          `json:"result"`
	Error       bool            `json:"error"`
	ElapsedTime float64         `json:"elapsed_time"`
}

func (e *ToolExecution) appendJSON(dst []byte) ([]byte, error) {
	dst = jsonappend.String(append(dst, `{"tool_name":`...), e.ToolName)
	dst, err := jsonappend.Value(jsonappend.Key(dst, "arguments"), e.Arguments)
	if err != nil {
		return dst, fmt.Errorf("arguments of a call of tool %q: %w", e.ToolName, err)
	}
	dst = jsonappend.String(jsonappend.Key(dst, "result"), e.Result)
	dst = append(dst, `,"error":`...)
	if e.Error {
		dst = append(dst, "true"...)
	} else {
		dst = append(dst, "false"...)
	}
	dst = jsonappend.Seconds(jsonappend.Key(dst, "elapsed_time"), e.ElapsedTime)
	return append(dst, '}'), nil
}

// MarshalJSON writes the execution with its time in seconds.
func (e ToolExecution) MarshalJSON() ([]byte, error) { return e.appendJSON(nil) }

// UnmarshalJSON reads what MarshalJSON writes.
func (e *ToolExecution) UnmarshalJSON(data []byte) error {
	var v toolExecutionJSON
	if err := json.Unmarshal(data, &v); err != nil {
		return err
	}
	*e = ToolExecution{
		ToolName: v.ToolName, Arguments: v.Arguments, Result: v.Result, Error: v.Error, ElapsedTime: duration(v.ElapsedTime),
	}
	return nil
}
