package batch

import (
	"encoding/json"
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
	Model    string // "provider:model", or a model of the run's provider
	Tools    []Tool // nil: the run's tools; empty: none
	// ExecuteTools set to false returns the model's tool calls unexecuted. nil means true.
	ExecuteTools      *bool
	MaxToolIterations int             // tool turns allowed; 0: the run's
	ResponseFormat    json.RawMessage // sent as it is
	Timeout           time.Duration   // of one model call; 0: the run's, below 0: none
	// Params are other fields of the request's body (temperature, seed, ...), sent as they are. Read from JSON, each value
	// is a json.RawMessage.
	Params map[string]any
	// Metadata is the caller's own and comes back in the result. Read from JSON, its numbers are json.Number.
	Metadata map[string]any
	// Extra keeps fields of the JSON that a request doesn't have. They are not sent.
	Extra map[string]json.RawMessage
}

// UnmarshalJSON reads a request. Its errors name the field: field "timeout": want a number of seconds, got "soon".
func (r *Request) UnmarshalJSON(data []byte) error {
	o, err := readObject(data)
	if err != nil {
		return err
	}
	*r = Request{}
	o.text("id", &r.ID)
	o.text("user_message", &r.UserMessage)
	o.text("system_prompt", &r.SystemPrompt)
	o.value("messages", &r.Messages, "a list of messages")
	o.text("model", &r.Model)
	o.value("tools", &r.Tools, "a list of tools")
	o.value("execute_tools", &r.ExecuteTools, "true or false")
	o.value("max_tool_iterations", &r.MaxToolIterations, "a whole number")
	if raw, ok := o.take("response_format"); ok {
		r.ResponseFormat = raw
	}
	o.seconds("timeout", &r.Timeout)
	o.rawMembers("params", &r.Params)
	o.numbers("metadata", &r.Metadata)
	r.Extra = o.rest()
	return o.err
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
			dst, err = jsonappend.Value(jsonappend.Key(dst, name), v)
		}
	}
	dst = append(dst, '{')
	text("id", r.ID)
	text("user_message", r.UserMessage)
	text("system_prompt", r.SystemPrompt)
	value("messages", r.Messages != nil, r.Messages)
	text("model", r.Model)
	value("tools", r.Tools != nil, r.Tools)
	value("execute_tools", r.ExecuteTools != nil, r.ExecuteTools)
	if r.MaxToolIterations != 0 {
		dst = strconv.AppendInt(jsonappend.Key(dst, "max_tool_iterations"), int64(r.MaxToolIterations), 10)
	}
	value("response_format", r.ResponseFormat != nil, r.ResponseFormat)
	if r.Timeout != 0 {
		dst = jsonappend.Seconds(jsonappend.Key(dst, "timeout"), r.Timeout)
	}
	value("params", r.Params != nil, r.Params)
	value("metadata", r.Metadata != nil, r.Metadata)
	if err != nil {
		return dst, err
	}
	if dst, err = jsonappend.Members(dst, r.Extra); err != nil {
		return dst, err
	}
	return append(dst, '}'), nil
}
