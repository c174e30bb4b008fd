package batch

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/gluepipe/gluepipe/stages/internal/jsonappend"
)

// Request is one thing to ask a model. What it leaves out, the run's configuration gives; what it says wins over that.
type Request struct {
	// ID names the request in results and on resume. Left out, it becomes batch-<uuid>-<index>, or line-<n> in a file.
	ID           string
	UserMessage  string
	SystemPrompt string
	// Messages is a whole chat instead of UserMessage. The system prompt comes before it, unless it brings its own.
	Messages []Message
	// Input makes it a request for embeddings instead of a chat: the JSON of what to embed, a text as a rule.
	Input json.RawMessage
	Model string // "provider:model", or a model of the run's provider
	Tools []Tool // nil: the run's tools; empty: none
	// ExecuteTools set to false returns the model's tool calls unexecuted. nil means true.
	ExecuteTools       *bool
	ToolExecutionOrder ToolOrder       // of the calls of one turn; "": the run's
	MaxToolIterations  int             // tool turns allowed; 0: the run's
	ResponseFormat     json.RawMessage // sent as it is
	Timeout            time.Duration   // of one model call; 0: the run's, below 0: none
	// Params are other fields of the request's body (temperature, seed, ...), sent as they are; but for a tool_choice that
	// forces the model to call a tool. Once tools were executed, it is left out of the turns that follow, and an allowed_tools
	// has its mode made "auto": else the model could never answer. Read from JSON, each value is a json.RawMessage.
	Params map[string]any
	// Metadata is the caller's own and comes back in the result. Read from JSON, its numbers are json.Number.
	Metadata map[string]any
	// Row is the row of a table that the request was made from; nil where it wasn't. It comes back in the result.
	Row *Row
	// Extra keeps fields of the JSON that a request doesn't have. They are not sent.
	Extra map[string]json.RawMessage
}

// UnmarshalJSON reads a request. Its errors name the field: field "timeout": want a number of seconds, got "soon".
func (r *Request) UnmarshalJSON(data []byte) error {
	var room room
	o, err := readObject(data, &room)
	if err != nil {
		return err
	}
	*r = Request{}
	o.text("id", &r.ID)
	o.text("user_message", &r.UserMessage)
	o.text("system_prompt", &r.SystemPrompt)
	r.Messages = readList(&o, "messages", "message", (*Message).UnmarshalJSON)
	o.raw("input", &r.Input)
	o.text("model", &r.Model)
	r.Tools = readList(&o, "tools", "tool", (*Tool).UnmarshalJSON)
	o.optionalTruth("execute_tools", &r.ExecuteTools)
	o.text("tool_execution_order", (*string)(&r.ToolExecutionOrder))
	o.whole("max_tool_iterations", &r.MaxToolIterations)
	o.raw("response_format", &r.ResponseFormat)
	o.seconds("timeout", &r.Timeout)
	o.rawMembers("params", &r.Params)
	o.numbers("metadata", &r.Metadata)
	o.row("row", &r.Row)
	r.Extra = o.rest()
	return o.failure()
}

// MarshalJSON writes the request's fields that are set, and Extra.
func (r Request) MarshalJSON() ([]byte, error) { return r.appendJSON(nil) }

func (r *Request) appendJSON(dst []byte) ([]byte, error) {
	var err error
	text := func(name, value string) {
		if value != "" {
			dst = jsonappend.String(jsonappend.Key(dst, name), value)
		}
	}
	value := func(name string, present bool, v any) {
		if present && err == nil {
			if dst, err = jsonappend.Value(jsonappend.Key(dst, name), v); err != nil {
				err = fmt.Errorf("field %q: %w", name, err)
			}
		}
	}
	dst = append(dst, '{')
	text("id", r.ID)
	text("user_message", r.UserMessage)
	text("system_prompt", r.SystemPrompt)
	if r.Messages != nil {
		dst, err = appendList(dst, "messages", "message", r.Messages, (*Message).appendJSON)
	}
	value("input", r.Input != nil, r.Input)
	text("model", r.Model)
	if r.Tools != nil && err == nil {
		dst, err = appendList(dst, "tools", "tool", r.Tools, (*Tool).appendJSON)
	}
	value("execute_tools", r.ExecuteTools != nil, r.ExecuteTools)
	text("tool_execution_order", string(r.ToolExecutionOrder))
	if r.MaxToolIterations != 0 {
		dst = strconv.AppendInt(jsonappend.Key(dst, "max_tool_iterations"), int64(r.MaxToolIterations), 10)
	}
	value("response_format", r.ResponseFormat != nil, r.ResponseFormat)
	if r.Timeout != 0 {
		dst = jsonappend.Seconds(jsonappend.Key(dst, "timeout"), r.Timeout)
	}
	value("params", r.Params != nil, r.Params)
	value("metadata", r.Metadata != nil, r.Metadata)
	if r.Row != nil && err == nil {
		dst, err = r.Row.appendJSON(jsonappend.Key(dst, "row"))
	}
	if err != nil {
		return dst, err
	}
	if dst, err = jsonappend.Members(dst, r.Extra); err != nil {
		return dst, err
	}
	return append(dst, '}'), nil
}
