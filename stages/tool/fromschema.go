package tool

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/gluepipe/gluepipe/stages/batch"
	jsonschemas "github.com/gluepipe/gluepipe/stages/internal/schema"
)

// FromSchema makes a tool of a function whose arguments are known by a JSON schema only, as those of another system's tools
// are. The name has 1 to 64 letters, digits, underscores and hyphens, which is what OpenAI takes: a name with dots or a
// longer one has to be changed by the caller. The schema is of an object: "type" is "object", or is left out and then added.
// nil is an object without properties. The schema must not refer to anything outside itself; its formats are asserted.
//
// The model's arguments are checked against the schema before call sees them, and handed on as the model wrote them, numbers
// with all their digits. Only null for an optional argument that can't be null counts as left out. What breaks the schema
// is answered with what is wrong and where, and call doesn't see it. The text of call's error is what the model reads. call
// may be called by many goroutines at once and should return when ctx ends; it may return a [*CutError] or a
// [*RefusedError].
//
// The error says what is wrong with the name or the schema, or that call is nil. Set what else is known of the tool
// (ReadOnly, Timeout, ...) on what FromSchema returns.
func FromSchema(
	name, description string, parameters json.RawMessage,
	call func(ctx context.Context, arguments json.RawMessage) (string, error),
) (batch.Tool, error) {
	checker, err := newChecker(name, &parameters, call == nil)
	if err != nil {
		return batch.Tool{}, fmt.Errorf("tool %q: %w", name, err)
	}
	return batch.Tool{
		Name:        name,
		Description: description,
		Parameters:  parameters,
		Call: func(ctx context.Context, arguments json.RawMessage) (string, error) {
			arguments, err := checker.check(arguments)
			if err != nil {
				return "", fmt.Errorf("arguments: %w", err)
			}
			return call(ctx, arguments)
		},
	}, nil
}

// checker checks arguments against a schema that is known at run time only. It is safe for concurrent use.
type checker struct {
	compiled *jsonschema.Schema
	optional []string // properties for which null counts as left out
}

// newChecker brings parameters into the form that models are sent, and compiles them.
func newChecker(name string, parameters *json.RawMessage, missing bool) (*checker, error) {
	switch {
	case !validName.MatchString(name):
		return nil, errInvalidName
	case missing:
		return nil, errors.New("the function is nil")
	}
	var err error
	if *parameters, err = objectSchema(*parameters); err != nil {
		return nil, err
	}
	c := &checker{}
	if c.compiled, err = jsonschemas.Compile(*parameters); err != nil {
		return nil, err
	}
	for name, property := range c.compiled.Properties {
		if !slices.Contains(c.compiled.Required, name) && property.Validate(nil) != nil {
			c.optional = append(c.optional, name)
		}
	}
	return c, nil
}

// objectSchema adds to an object's schema what OpenAI wants to see in each: its type and its properties. The rest stays as it
// is written, since models follow the order.
func objectSchema(parameters json.RawMessage) (json.RawMessage, error) {
	if parameters == nil {
		return json.RawMessage(`{"type":"object","properties":{}}`), nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(parameters, &members); err != nil || members == nil {
		return nil, errors.New("the schema of the arguments must be a JSON object")
	}
	added := []byte("{")
	switch kind, typed := members["type"]; {
	case !typed:
		added = append(added, `"type":"object",`...)
	case string(kind) != `"object"`:
		return nil, fmt.Errorf(`the schema of the arguments must be of type "object", not %s`, excerpt(string(kind)))
	}
	if _, ok := members["properties"]; !ok {
		added = append(added, `"properties":{},`...)
	}
	if len(added) == 1 {
		return bytes.Clone(parameters), nil
	}
	rest := bytes.TrimSpace(parameters)[1:]
	if len(members) == 0 {
		added = added[:len(added)-1]
	}
	return append(added, rest...), nil
}

// check returns what the tool is given of the arguments.
func (c *checker) check(arguments json.RawMessage) (json.RawMessage, error) {
	doc, err := readPlain(arguments)
	if err != nil {
		return nil, err
	}
	var left []string // out
	if members, ok := doc.(map[string]any); ok {
		maps.DeleteFunc(members, func(name string, value any) bool {
			out := value == nil && slices.Contains(c.optional, name)
			if out {
				left = append(left, name)
			}
			return out
		})
	}
	if err := c.compiled.Validate(doc); err != nil {
		return nil, jsonschemas.Explain(err)
	}
	return without(arguments, left)
}

// without returns an object without some of its members, of which the others are as they were.
func without(object json.RawMessage, names []string) (json.RawMessage, error) {
	if len(names) == 0 {
		return object, nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(object, &members); err != nil {
		return nil, err
	}
	for _, name := range names {
		delete(members, name)
	}
	return json.Marshal(members)
}
