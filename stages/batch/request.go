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
	dst = appendText(append(dst, '{'), "id", r.ID)
	dst = appendText(dst, "user_message", r.UserMessage)
	dst = appendText(dst, "system_prompt", r.SystemPrompt)
	var err error
	if r.Messages != nil {
		dst, err = appendList(dst, "messages", "message", r.Messages, (*Message).appendJSON)
	}
	if err == nil {
		dst, err = appendRaw(dst, "input", r.Input)
	}
	dst = appendText(dst, "model", r.Model)
	if r.Tools != nil && err == nil {
		dst, err = appendList(dst, "tools", "tool", r.Tools, (*Tool).appendJSON)
	}
	if r.ExecuteTools != nil {
		dst = strconv.AppendBool(jsonappend.Key(dst, "execute_tools"), *r.ExecuteTools)
	}
	dst = appendText(dst, "tool_execution_order", string(r.ToolExecutionOrder))
	if r.MaxToolIterations != 0 {
		dst = strconv.AppendInt(jsonappend.Key(dst, "max_tool_iterations"), int64(r.MaxToolIterations), 10)
	}
	if err == nil {
		dst, err = appendRaw(dst, "response_format", r.ResponseFormat)
	}
	if r.Timeout != 0 {
		dst = jsonappend.Seconds(jsonappend.Key(dst, "timeout"), r.Timeout)
	}
	if err == nil {
		dst, err = appendMap(dst, "params", r.Params)
	}
	if err == nil {
		dst, err = appendMap(dst, "metadata", r.Metadata)
	}
	if r.Row != nil && err == nil {
		dst, err = r.Row.appendJSON(jsonappend.Key(dst, "row"))
	}
	if err == nil {
		dst, err = jsonappend.Members(dst, r.Extra)
	}
	return append(dst, '}'), err
}

// appendRaw appends a member as it stands, unless it is nil.
func appendRaw(dst []byte, name string, raw json.RawMessage) (_ []byte, err error) {
	if raw == nil {
		return dst, nil
	}
	if dst, err = jsonappend.Raw(jsonappend.Key(dst, name), raw); err != nil {
		err = fmt.Errorf("field %q: %w", name, err)
	}
	return dst, err
}

// appendMap appends a member that is an object, unless it is nil.
func appendMap(dst []byte, name string, m map[string]any) (_ []byte, err error) {
	if m == nil {
		return dst, nil
	}
	if dst, err = jsonappend.Map(jsonappend.Key(dst, name), m); err != nil {
		err = fmt.Errorf("field %q: %w", name, err)
	}
	return dst, err
}
