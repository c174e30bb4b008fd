package llmtest

import (
	"bytes"
	"encoding/json"
	"slices"
)

// answerSchema is the part of a JSON schema that structured answers follow. One that is true or false says nothing.
type answerSchema struct {
	schemaFields

	own json.RawMessage // as it stands
}

type schemaFields struct {
	Type       any                      `json:"type"`
	Enum       []json.RawMessage        `json:"enum"`
	Const      json.RawMessage          `json:"const"`
	Properties map[string]*answerSchema `json:"properties"`
	Required   []string                 `json:"required"`
	Items      *answerSchema            `json:"items"`
	MinItems   int                      `json:"minItems"`
	MaxItems   *int                     `json:"maxItems"`
	MinLength  int                      `json:"minLength"`
	MaxLength  *int                     `json:"maxLength"`
	Minimum    *float64                 `json:"minimum"`
	Maximum    *float64                 `json:"maximum"`
	Format     string                   `json:"format"`
	AnyOf      []*answerSchema          `json:"anyOf"`
	OneOf      []*answerSchema          `json:"oneOf"`
	Ref        string                   `json:"$ref"`
}

func (s *answerSchema) UnmarshalJSON(data []byte) error {
	*s = answerSchema{own: bytes.Clone(data)}
	_ = json.Unmarshal(data, &s.schemaFields) // what can't be read asks for nothing
	return nil
}

// kind is the type's name, of several the first that is not null; deep inside, null where it is one.
func (s *answerSchema) kind(depth int) string {
	var names []string
	switch t := s.Type.(type) {
	case string:
		names = []string{t}
	case []any:
		for _, name := range t {
			if name, ok := name.(string); ok {
				names = append(names, name)
			}
		}
	}
	nullable := slices.Contains(names, "null")
	i := slices.IndexFunc(names, func(name string) bool { return name != "null" })
	switch {
	case nullable && (i < 0 || depth > deepest/2):
		return "null"
	case i >= 0:
		return names[i]
	case s.Properties != nil:
		return "object"
	case s.Items != nil:
		return "array"
	}
	return "string"
}
