package main

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// parameter is what people are told of one argument of a tool.
type parameter struct {
	Type        any    `json:"type"`
	Description string `json:"description"`
	Enum        []any  `json:"enum"`
	Default     any    `json:"default"`
}

// parameterLines tells people which arguments a tool takes, those that it needs first. A schema of another form than most is
// told as it is.
func parameterLines(t *batch.Tool) []string {
	var schema struct {
		Properties map[string]parameter `json:"properties"`
		Required   []string             `json:"required"`
	}
	if err := json.Unmarshal(parametersOf(t), &schema); err != nil {
		return []string{string(parametersOf(t))}
	}
	if len(schema.Properties) == 0 {
		return []string{"no arguments"}
	}
	isRequired := func(name string) bool { return slices.Contains(schema.Required, name) }
	names := slices.Sorted(maps.Keys(schema.Properties))
	slices.SortStableFunc(names, func(a, b string) int {
		switch {
		case isRequired(a) == isRequired(b):
			return 0
		case isRequired(a):
			return -1
		}
		return 1
	})
	lines := make([]string, len(names))
	for i, name := range names {
		p := schema.Properties[name]
		lines[i] = name + p.traits(isRequired(name))
		if p.Description != "" {
			lines[i] += ": " + p.Description
		}
	}
	return lines
}

// traits tells in brackets of what type an argument is, whether it is needed, and which values it has.
func (p *parameter) traits(isRequired bool) string {
	var traits []string
	switch kind := p.Type.(type) {
	case string:
		traits = append(traits, kind)
	case []any:
		traits = append(traits, joined(kind, " or "))
	}
	if isRequired {
		traits = append(traits, "required")
	}
	if len(p.Enum) > 0 {
		traits = append(traits, "one of "+joined(p.Enum, "|"))
	}
	if p.Default != nil {
		traits = append(traits, "default "+joined([]any{p.Default}, ""))
	}
	if traits == nil {
		return ""
	}
	return " (" + strings.Join(traits, ", ") + ")"
}

// joined writes texts without quotes, and other values as JSON.
func joined(values []any, between string) string {
	texts := make([]string, len(values))
	for i, value := range values {
		text, ok := value.(string)
		if !ok {
			data, _ := json.Marshal(value) // it comes from JSON
			text = string(data)
		}
		texts[i] = text
	}
	return strings.Join(texts, between)
}
