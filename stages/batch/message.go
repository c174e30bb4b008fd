package batch

import (
	"encoding/json"
	"fmt"

	"github.com/gluepipe/gluepipe/stages/internal/jsonappend"
	"github.com/gluepipe/gluepipe/stages/internal/jsonscan"
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
	if text, ok := jsonscan.Text(m.Content); ok {
		return text
	}
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

// AppendJSON appends the message's JSON object. It fails only where Content or Extra is not JSON; dst then comes back as
// it was.
func (m *Message) AppendJSON(dst []byte) ([]byte, error) {
	out, err := m.appendJSON(dst)
	if err != nil {
		return dst, err
	}
	return out, nil
}

func (m *Message) appendJSON(dst []byte) ([]byte, error) {
	var err error
	dst = jsonappend.String(append(dst, `{"role":`...), m.Role)
	if m.Content != nil {
		if dst, err = jsonappend.Raw(jsonappend.Key(dst, "content"), m.Content); err != nil {
			return dst, fmt.Errorf("field %q: %w", "content", err)
		}
	}
	if m.Name != "" {
		dst = jsonappend.String(jsonappend.Key(dst, "name"), m.Name)
	}
	if m.ToolCalls != nil {
		dst, err = appendList(dst, "tool_calls", "tool call", m.ToolCalls, (*ToolCall).appendJSON)
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
	var room room
	o, err := readObject(data, &room)
	if err != nil {
		return err
	}
	*m = Message{}
	o.name("role", &m.Role)
	o.rawOrNull("content", &m.Content)
	o.text("name", &m.Name)
	m.ToolCalls = readList(&o, "tool_calls", "tool call", (*ToolCall).UnmarshalJSON)
	o.text("tool_call_id", &m.ToolCallID)
	m.Extra = o.rest()
	return o.failure()
}
