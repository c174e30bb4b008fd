package llmtest

import (
	"encoding/json"
	"slices"

	"github.com/gluepipe/gluepipe/stages/internal/jsonappend"
)

// schema is the part of a JSON schema that arguments are made from.
type schema struct {
	Type       any                `json:"type"` // a name or a list of names
	Enum       []json.RawMessage  `json:"enum"`
	Properties map[string]*schema `json:"properties"`
	Required   []string           `json:"required"`
}

// readSchema is lenient: a schema that can't be read asks for nothing.
func readSchema(raw json.RawMessage) *schema {
	s := &schema{}
	if json.Unmarshal(raw, s) != nil {
		return &schema{}
	}
	return s
}

// has tells whether there is a string property of that name.
func (s *schema) has(name string) bool {
	property := s.Properties[name]
	return property != nil && property.kind() == "string"
}

// kind is the type's name, or the first of several. A schema without one takes a string as well as anything.
func (s *schema) kind() string {
	switch t := s.Type.(type) {
	case string:
		return t
	case []any:
		if len(t) > 0 {
			name, _ := t[0].(string)
			return name
		}
	}
	return "string"
}

// arguments makes the arguments of a call.
func (p *prompt) arguments(parameters *schema) string {
	return string(p.appendObject(nil, parameters))
}

func (p *prompt) appendObject(dst []byte, s *schema) []byte {
	dst = append(dst, '{')
	for _, name := range s.Required {
		dst = p.appendValue(jsonappend.Key(dst, name), name, s.Properties[name])
	}
	for _, name := range []string{"location", "city"} { // known places are told even where they are optional
		if p.place != "" && s.has(name) && !slices.Contains(s.Required, name) {
			dst = p.appendValue(jsonappend.Key(dst, name), name, s.Properties[name])
		}
	}
	return append(dst, '}')
}

func (p *prompt) appendValue(dst []byte, name string, s *schema) []byte {
	if s == nil {
		s = &schema{}
	}
	if len(s.Enum) > 0 {
		return append(dst, s.Enum[0]...)
	}
	switch s.kind() {
	case "integer", "number":
		return append(dst, '1')
	case "boolean":
		return append(dst, "true"...)
	case "null":
		return append(dst, "null"...)
	case "array":
		return append(dst, "[]"...)
	case "object":
		return p.appendObject(dst, s)
	}
	text := p.text
	switch {
	case name == "expression" && p.expression != "":
		text = p.expression
	case (name == "location" || name == "city") && p.place != "":
		text = p.place
	}
	return jsonappend.String(dst, text)
}
