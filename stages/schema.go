package stages

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/internal/jsonappend"
	jsonschemas "github.com/gluepipe/gluepipe/stages/internal/schema"
	"github.com/gluepipe/gluepipe/stages/llm"
)

// Schema is the JSON schema that the answers of a run follow; see [Defaults]. It is safe for concurrent use.
type Schema struct {
	compiled       *jsonschema.Schema
	responseFormat json.RawMessage
	prompt         string
}

// NewSchema reads a JSON schema. It may refer to nothing outside itself; without a "$schema" it is of draft 2020-12, and
// formats are checked.
func NewSchema(schema json.RawMessage) (*Schema, error) {
	plain, err := jsonappend.Raw(nil, schema)
	if err != nil {
		return nil, fmt.Errorf("reading the schema: %w", err)
	}
	if plain[0] != '{' {
		return nil, errors.New("want a JSON schema that is an object")
	}
	compiled, err := jsonschemas.Compile(plain)
	if err != nil {
		return nil, err
	}
	var root struct {
		Title string `json:"title"`
	}
	if err := json.Unmarshal(plain, &root); err != nil {
		return nil, fmt.Errorf("reading the schema: %w", err)
	}
	format := jsonappend.String([]byte(`{"type":"json_schema","json_schema":{"name":`), schemaName(root.Title))
	if jsonschemas.CheckStrict(plain) == nil {
		format = append(format, `,"strict":true`...)
	}
	format = append(append(append(format, `,"schema":`...), plain...), "}}"...)
	return &Schema{
		compiled: compiled, responseFormat: format,
		prompt: "Answer with JSON alone, without any words around it. It follows this JSON schema:\n" + string(plain),
	}, nil
}

// schemaName makes a name such as OpenAI takes of a schema's title.
func schemaName(title string) string {
	const longest = 64
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '-':
			return r
		}
		return '_'
	}, title)
	if strings.Trim(name, "_") == "" {
		return "answer"
	}
	return name[:min(len(name), longest)]
}

// applySchema asks for an answer that follows the run's schema, unless the request is none for a chat or brings a response
// format of its own.
func (v *validator) applySchema(r *batch.Request) bool {
	if _, own := r.Params["response_format"]; own || r.ResponseFormat != nil || r.Input != nil {
		return false
	}
	if v.SchemaInPrompt || schemaInPrompt(r.Model, v.Model) {
		v.Schema.addTo(r)
	} else {
		r.ResponseFormat = v.Schema.responseFormat
	}
	return true
}

// schemaInPrompt tells whether the provider of the first model that names one takes schemas in the prompt alone.
func schemaInPrompt(models ...string) bool {
	for _, model := range models {
		if name, _ := llm.SplitModel(model); name != "" {
			provider, err := llm.LookupProvider(name)
			return err == nil && provider.SchemaInPrompt
		}
	}
	return false
}

// addTo puts the schema into a chat: at the end of its system prompt, or as one. The chat is the request's own, what its
// messages hold is not.
func (s *Schema) addTo(r *batch.Request) {
	if first := &r.Messages[0]; first.Role == "system" || first.Role == "developer" {
		if content, ok := withText(first.Content, s.prompt); ok {
			first.Content = content
			return
		}
	}
	r.Messages = append([]batch.Message{batch.SystemMessage(s.prompt)}, r.Messages...)
}

// withText returns a content with a text after it.
func withText(content json.RawMessage, more string) (json.RawMessage, bool) {
	var text string
	if json.Unmarshal(content, &text) == nil {
		return batch.Text(text + "\n\n" + more), true
	}
	var parts []json.RawMessage
	if json.Unmarshal(content, &parts) != nil || len(parts) == 0 {
		return nil, false
	}
	part := append(jsonappend.String([]byte(`{"type":"text","text":`), more), '}')
	joined, err := json.Marshal(append(parts, part))
	return joined, err == nil
}
