package batch

import (
	"encoding/json"
	"fmt"

	"github.com/gluepipe/gluepipe/stages/internal/jsonappend"
)

// Message is one message of a chat. Fields it doesn't know are kept in Extra and written back as they were, so that what a
// provider adds (reasoning, thought signatures) or wants survives.
type Message struct {
	Role string
	// Content is the JSON of the content: a string, an array of parts, or null; nil leaves the field out. [Text] makes one
	// from a string.
	Content    json.RawMessage
	Name       string
	ToolCalls  []ToolCall
	ToolCallID string
	Extra      map[string]json.RawMessage
}

// SystemMessage returns a system message with a text.
func SystemMessage(text string) Message { return Message{Role: "system", Content: Text(text)} }

// UserMessage returns a user's message with a text.
func UserMessage(text string) Message { return Message{Role: "user", Content: Text(text)} }

// AssistantMessage returns a model's message with a text.
func AssistantMessage(text string) Message { return Message{Role: "assistant", Content: Text(text)} }

// ToolMessage returns a tool's answer to the call with the given id.
func ToolMessage(callID, text string) Message {
	return Message{Role: "tool", ToolCallID: callID, Content: Text(text)}
}

// Text returns the JSON of a text, for [Message.Content].
func Text(text string) json.RawMessage {
	return jsonappend.String(make([]byte, 0, len(text)+8), text)
}

// Text returns the message's text: the content where it is a string, the text parts one after the other where it is an
// array, else "".
func (m *Message) Text() string {
	var text string
	if json.Unmarshal(m.Content, &text) == nil {
		return text
	}
	var parts []struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	if json.Unmarshal(m.Content, &parts) != nil {
		return ""
	}
	for _, p := range parts {
		if p.Type == "text" {
			text += p.Text
		}
	}
	return text
}

// AppendJSON appends the message's JSON object. It fails only where Content or Extra is not JSON.
func (m *Message) AppendJSON(dst []byte) ([]byte, error) {
	var err error
	dst = jsonappend.String(append(dst, `{"role":`...), m.Role)
	if m.Content != nil {
		if dst, err = jsonappend.Raw(jsonappend.Key(dst, "content"), m.Content); err != nil {
			return dst, fmt.Errorf("content: %w", err)
		}
	}
	if m.Name != "" {
		dst = jsonappend.String(jsonappend.Key(dst, "name"), m.Name)
	}
	if m.ToolCalls != nil {
		dst, err = appendToolCalls(jsonappend.Key(dst, "tool_calls"), m.ToolCalls)
		if err != nil {
			return dst, err
		}
	}
	if m.ToolCallID != "" {
		dst = jsonappend.String(jsonappend.Key(dst, "tool_call_id"), m.ToolCallID)
	}
	if dst, err = jsonappend.Members(dst, m.Extra); err != nil {
		return dst, err
	}
	return append(dst, '}'), nil
}

// MarshalJSON writes the message as a chat completions server takes it.
func (m Message) MarshalJSON() ([]byte, error) { return m.AppendJSON(nil) }

// UnmarshalJSON reads a message as it stands in a chat completions request or answer.
func (m *Message) UnmarshalJSON(data []byte) error {
	o, err := readObject(data)
	if err != nil {
		return err
	}
	*m = Message{}
	o.text("role", &m.Role)
	o.raw("content", &m.Content)
	o.text("name", &m.Name)
	o.value("tool_calls", &m.ToolCalls, "a list of tool calls")
	o.text("tool_call_id", &m.ToolCallID)
	m.Extra = o.rest()
	return o.err
}

// ToolCall is a model's wish to have a tool called. Fields it doesn't know are kept.
type ToolCall struct {
	ID        string
	Type      string // "function"
	Name      string
	Arguments string // as the model wrote them: usually, but not surely, a JSON object
	Extra     map[string]json.RawMessage
}

// MarshalJSON writes the call as it stands in a chat message.
func (c ToolCall) MarshalJSON() ([]byte, error) { return c.appendJSON(nil) }

func (c *ToolCall) appendJSON(dst []byte) ([]byte, error) {
	callType := c.Type
	if callType == "" {
		callType = "function"
	}
	dst = jsonappend.String(append(dst, `{"id":`...), c.ID)
	dst = jsonappend.String(jsonappend.Key(dst, "type"), callType)
	dst = append(jsonappend.Key(dst, "function"), '{')
	dst = jsonappend.String(jsonappend.Key(dst, "name"), c.Name)
	dst = append(jsonappend.String(jsonappend.Key(dst, "arguments"), c.Arguments), '}')
	dst, err := jsonappend.Members(dst, c.Extra)
	if err != nil {
		return dst, err
	}
	return append(dst, '}'), nil
}

func appendToolCalls(dst []byte, calls []ToolCall) ([]byte, error) {
	dst = append(dst, '[')
	var err error
	for i := range calls {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = calls[i].appendJSON(dst); err != nil {
			return dst, fmt.Errorf("tool call %d: %w", i, err)
		}
	}
	return append(dst, ']'), nil
}

// UnmarshalJSON reads a call as it stands in a chat message. Arguments that are null are ""; arguments that some servers
// send as an object instead of a string are kept as that object's JSON.
func (c *ToolCall) UnmarshalJSON(data []byte) error {
	o, err := readObject(data)
	if err != nil {
		return err
	}
	*c = ToolCall{}
	var function struct {
		Name      string          `json:"name"`
		Arguments json.RawMessage `json:"arguments"`
	}
	o.text("id", &c.ID)
	o.text("type", &c.Type)
	o.value("function", &function, "an object with a name and arguments")
	c.Name = function.Name
	if json.Unmarshal(function.Arguments, &c.Arguments) != nil {
		c.Arguments = string(function.Arguments)
	}
	c.Extra = o.rest()
	return o.err
}
