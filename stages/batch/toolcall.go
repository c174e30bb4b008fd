package batch

import (
	"encoding/json"
	"fmt"

	"github.com/gluepipe/gluepipe/stages/internal/jsonappend"
)

// ToolCall is a model's wish to have a tool called. Fields it doesn't know are kept.
type ToolCall struct {
	ID        string
	Type      string // "function"; so if left out
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
	// A call of another type (a provider's own) has its body in Extra, and servers refuse a function beside it.
	if callType == "function" || c.Name != "" || c.Arguments != "" {
		dst = append(jsonappend.Key(dst, "function"), '{')
		dst = jsonappend.String(jsonappend.Key(dst, "name"), c.Name)
		dst = append(jsonappend.String(jsonappend.Key(dst, "arguments"), c.Arguments), '}')
	}
	dst, err := jsonappend.Members(dst, c.Extra)
	if err != nil {
		return dst, err
	}
	return append(dst, '}'), nil
}

// UnmarshalJSON reads a call as it stands in a chat message. Arguments that are null are ""; arguments that some servers
// send as an object instead of a string are kept as that object's JSON.
func (c *ToolCall) UnmarshalJSON(data []byte) error {
	var room room
	o, err := readObject(data, &room)
	if err != nil {
		return err
	}
	*c = ToolCall{}
	o.text("id", &c.ID)
	o.name("type", &c.Type)
	if raw, ok := o.take("function"); ok {
		if err := c.readFunction(raw); err != nil && o.failure() == nil {
			*o.err = fmt.Errorf("field %q: %w", "function", err)
		}
	}
	c.Extra = o.rest()
	return o.failure()
}

func (c *ToolCall) readFunction(data []byte) error {
	var room room
	o, err := readObject(data, &room)
	if err != nil {
		return err
	}
	o.text("name", &c.Name)
	if raw, ok := o.take("arguments"); ok {
		if raw[0] == '"' {
			c.Arguments = unquote(raw)
		} else {
			c.Arguments = string(raw)
		}
	}
	return o.failure()
}
