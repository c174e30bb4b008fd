package llmtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Request is a request for a completion or for embeddings, as the server read it. [Config.Respond] must not change it.
type Request struct {
	Model             string          `json:"model"`
	Messages          []Message       `json:"messages"`
	Tools             []Tool          `json:"tools"`
	ToolChoice        json.RawMessage `json:"tool_choice"`
	ParallelToolCalls *bool           `json:"parallel_tool_calls"`
	Stream            bool            `json:"stream"`
	ResponseFormat    json.RawMessage `json:"response_format"`

	Inputs []string `json:"-"` // the texts of a request for embeddings; tokens as their JSON. nil is a completion

	Body    []byte      `json:"-"` // as it came
	Header  http.Header `json:"-"`
	Attempt int         `json:"-"` // 1 for the first request with this prompt; 0 where [Config] doesn't have them counted

	ctx context.Context //nolint:containedctx // as in http.Request, whose context this is

	dimensions int  // of the embeddings
	base64     bool // the embeddings are wanted so
}

// Context ends when the client goes or the server closes. A Respond that blocks must watch it.
func (r *Request) Context() context.Context { return r.ctx }

// Prompt is the text of the last user message; of a request for embeddings its texts, a line each.
func (r *Request) Prompt() string {
	if r.Inputs != nil {
		return strings.Join(r.Inputs, "\n")
	}
	if i := r.lastUser(); i >= 0 {
		return r.Messages[i].Text()
	}
	return ""
}

// ToolResults are the texts of the tool messages since the last user message.
func (r *Request) ToolResults() []string {
	var results []string
	for _, m := range r.Messages[r.lastUser()+1:] {
		if m.Role == "tool" {
			results = append(results, m.Text())
		}
	}
	return results
}

func (r *Request) lastUser() int {
	for i := len(r.Messages) - 1; i >= 0; i-- {
		if r.Messages[i].Role == "user" {
			return i
		}
	}
	return -1
}

// Message is one message of the chat.
type Message struct {
	Role       string     `json:"role"`
	Content    any        `json:"content"` // a string, a list of parts, or nil
	ToolCalls  []ToolCall `json:"tool_calls"`
	ToolCallID string     `json:"tool_call_id"`
}

// Text is the content where it is a string, or its text parts one after the other.
func (m *Message) Text() string {
	switch content := m.Content.(type) {
	case string:
		return content
	case []any:
		var text strings.Builder
		for _, part := range content {
			if part, ok := part.(map[string]any); ok && part["type"] == "text" {
				s, _ := part["text"].(string)
				text.WriteString(s)
			}
		}
		return text.String()
	}
	return ""
}

// Tool is a function that the model is offered. Its Name is "" for a tool of another type.
type Tool struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Parameters  json.RawMessage `json:"parameters"`
}

// UnmarshalJSON reads a tool as it stands in a request.
func (t *Tool) UnmarshalJSON(data []byte) error {
	type plain Tool
	var wire struct {
		Function plain `json:"function"`
	}
	if err := json.Unmarshal(data, &wire); err != nil {
		return err
	}
	*t = Tool(wire.Function)
	return nil
}

// ToolCall is a model's wish to have a function called.
type ToolCall struct {
	ID        string // default "call_" and a number
	Name      string
	Arguments string // as the model writes them: usually a JSON object
}

// UnmarshalJSON reads a call as it stands in a message.
func (c *ToolCall) UnmarshalJSON(data []byte) error {
	var wire struct {
		ID       string `json:"id"`
		Function struct {
			Name      string `json:"name"`
			Arguments string `json:"arguments"`
		} `json:"function"`
	}
	if err := json.Unmarshal(data, &wire); err != nil {
		return err
	}
	*c = ToolCall{ID: wire.ID, Name: wire.Function.Name, Arguments: wire.Function.Arguments}
	return nil
}

// parseRequest reads a body. Its second value is the answer to a body that OpenAI would refuse too.
func parseRequest(body []byte) (*Request, *Answer) {
	r := &Request{Body: body}
	if err := json.Unmarshal(body, r); err != nil {
		return nil, unreadable(err)
	}
	switch {
	case r.Model == "":
		return nil, badRequest("missing_required_parameter", "model", "You must provide a model parameter.")
	case len(r.Messages) == 0:
		return nil, badRequest("missing_required_parameter", "messages", "Missing required parameter: 'messages'.")
	case r.Stream:
		return nil, badRequest("unsupported_value", "stream", "This server answers whole; leave 'stream' out.")
	}
	return r, nil
}

// unreadable is the answer to a body that is not the JSON of a request.
func unreadable(err error) *Answer {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		message := fmt.Sprintf("Invalid type for '%s': got a %s.", wrong.Field, wrong.Value)
		return badRequest("invalid_type", wrong.Field, message)
	}
	return badRequest("invalid_json", "", fmt.Sprintf("The body of your request is not valid JSON: %v.", err))
}
