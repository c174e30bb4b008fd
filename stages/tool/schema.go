package tool

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	reflected "github.com/invopop/jsonschema"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/sourcegraph/conc/panics"

	jsonschemas "github.com/gluepipe/gluepipe/stages/internal/schema"
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
	root, err := reflectSchema(t)
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
	if s.compiled, err = jsonschemas.Compile(s.json); err != nil {
		return nil, err
	}
	return s, nil
}

// reflectSchema makes the schema of a type, whose own schema methods may panic.
func reflectSchema(t reflect.Type) (root *reflected.Schema, err error) {
	if p := panics.Try(func() { root, err = reflectObject(t) }); p != nil {
		return nil, fmt.Errorf("making the schema: %v", p.Value)
	}
	return root, err
}

func reflectObject(t reflect.Type) (*reflected.Schema, error) {
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
