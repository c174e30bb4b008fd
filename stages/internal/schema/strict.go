package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// OpenAI's bounds of a strict schema.
const (
	maxStrictDepth      = 10
	maxStrictProperties = 5000
	maxStrictEnum       = 1000
)

// strictKeywords are those that OpenAI's strict mode knows; it refuses a schema with others.
// https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
var strictKeywords = []string{
	"type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf", "$ref", "$defs", "definitions",
	"title", "description", "pattern", "format", "multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
	"minItems", "maxItems",
}

var strictFormats = []string{
	"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid",
}

// CheckStrict says what keeps a schema from OpenAI's strict mode, in which an answer is sure to follow its schema: an object
// at the root, in each object all properties required and no others allowed, and few keywords. nil is nothing.
func CheckStrict(data []byte) error {
	var root map[string]any
	if err := json.Unmarshal(data, &root); err != nil || root == nil {
		return errors.New("a strict schema is an object")
	}
	delete(root, "$schema")
	if root["type"] != "object" || root["anyOf"] != nil {
		return errors.New(`a strict schema is of "type": "object"`)
	}
	c := strictChecker{}
	return c.check(root, nil, 0)
}

// strictChecker counts what is bounded over the whole schema.
type strictChecker struct {
	properties int
	enum       int
}

func (c *strictChecker) check(node any, path []string, depth int) error {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("at %q: %w", Pointer(path), fmt.Errorf(format, args...))
	}
	s, ok := node.(map[string]any)
	if !ok {
		return fail("want a schema that is an object")
	}
	for _, keyword := range slices.Sorted(maps.Keys(s)) {
		if !slices.Contains(strictKeywords, keyword) {
			return fail("%q is not known to strict mode", keyword)
		}
	}
	if ref, ok := s["$ref"]; ok {
		if text, ok := ref.(string); !ok || text == "" || text[0] != '#' || len(s) > 1 {
			return fail("a $ref stands alone, and begins with #")
		}
		return nil
	}
	if values, ok := s["enum"].([]any); ok {
		c.enum += len(values)
	}
	_, isConst := s["const"]
	format, _ := s["format"].(string)
	switch {
	case depth > maxStrictDepth || c.enum > maxStrictEnum:
		return fail("deeper than %d levels, or more than %d enum values", maxStrictDepth, maxStrictEnum)
	case s["type"] == nil && s["anyOf"] == nil && s["enum"] == nil && !isConst:
		return fail("the type is missing")
	case format != "" && !slices.Contains(strictFormats, format):
		return fail("format %q is not known to strict mode", format)
	}
	if hasType(s, "object") {
		if err := c.checkObject(s, fail); err != nil {
			return err
		}
	}
	if hasType(s, "array") && s["items"] == nil {
		return fail("the items are missing")
	}
	return c.checkInner(s, path, depth)
}

func hasType(s map[string]any, name string) bool {
	list, _ := s["type"].([]any)
	return s["type"] == name || slices.Contains(list, any(name))
}

func (c *strictChecker) checkObject(s map[string]any, fail func(string, ...any) error) error {
	if s["additionalProperties"] != false {
		return fail(`want "additionalProperties": false`)
	}
	properties, _ := s["properties"].(map[string]any)
	required, _ := s["required"].([]any)
	c.properties += len(properties)
	if c.properties > maxStrictProperties {
		return fail("more than %d properties", maxStrictProperties)
	}
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if !slices.Contains(required, any(name)) {
			return fail("property %q is not required", name)
		}
	}
	return nil
}

// checkInner checks the schemas inside a schema.
func (c *strictChecker) checkInner(s map[string]any, path []string, depth int) error {
	for _, keyword := range []string{"properties", "$defs", "definitions"} {
		inner, _ := s[keyword].(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(inner)) {
			if err := c.check(inner[name], append(slices.Clip(path), keyword, name), depth+1); err != nil {
				return err
			}
		}
	}
	if items, ok := s["items"]; ok {
		if err := c.check(items, append(slices.Clip(path), "items"), depth+1); err != nil {
			return err
		}
	}
	options, _ := s["anyOf"].([]any)
	for i, option := range options {
		if err := c.check(option, append(slices.Clip(path), "anyOf", fmt.Sprint(i)), depth); err != nil {
			return err
		}
	}
	return nil
}
