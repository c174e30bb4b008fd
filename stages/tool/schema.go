package tool

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"

	reflected "github.com/invopop/jsonschema"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/sourcegraph/conc/panics"
)

// schema is the JSON schema of a tool's arguments, to show and to check with. It is safe for concurrent use.
type schema struct {
	json     json.RawMessage
	optional map[string]bool // the names of properties that may be left out
	compiled *jsonschema.Schema
}

func newSchema(t reflect.Type) (*schema, error) {
	if err := checkArgs(t); err != nil {
		return nil, err
	}
	var root *reflected.Schema
	var err error
	// The type's own schema methods run here and may panic.
	if p := panics.Try(func() { root, err = reflectSchema(t) }); p != nil {
		err = fmt.Errorf("making the schema: %v", p.Value)
	}
	if err != nil {
		return nil, err
	}
	s := &schema{optional: make(map[string]bool)}
	for name := range root.Properties.KeysFromOldest() {
		s.optional[name] = !slices.Contains(root.Required, name)
	}
	if s.json, err = json.Marshal(root); err != nil {
		return nil, fmt.Errorf("encoding the schema: %w", err)
	}
	if s.compiled, err = compile(s.json); err != nil {
		return nil, err
	}
	return s, nil
}

func reflectSchema(t reflect.Type) (*reflected.Schema, error) {
	reflector := reflected.Reflector{Anonymous: true, DoNotReference: true, Mapper: mapped}
	root := reflector.ReflectFromType(t)
	root.Version = ""
	if root.Type != "object" {
		return nil, fmt.Errorf("the schema of the arguments must be of type object, not %q", root.Type)
	}
	if root.Properties == nil { // a map's; OpenAI refuses an object without
		root.Properties = reflected.NewProperties()
	}
	return root, nil
}

// noLoader keeps a $ref in a schema from opening files or URLs.
type noLoader struct{}

func (noLoader) Load(string) (any, error) {
	return nil, errors.New("a tool's schema refers to nothing outside itself")
}

func compile(data []byte) (*jsonschema.Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("reading the schema: %w", err)
	}
	const name = "mem:///arguments"
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.UseLoader(noLoader{})
	compiler.AssertFormat()
	if err := compiler.AddResource(name, doc); err != nil {
		return nil, fmt.Errorf("compiling the schema: %w", err)
	}
	compiled, err := compiler.Compile(name)
	if err != nil {
		return nil, fmt.Errorf("compiling the schema: %w", err)
	}
	return compiled, nil
}
