package tool

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	reflected "github.com/invopop/jsonschema"

	jsonschemas "github.com/gluepipe/gluepipe/stages/internal/schema"
)

// StrictSchema returns the JSON schema of a struct in the strict form that OpenAI wants for structured answers: in each
// object no other properties are allowed and all are required; those of pointers, and of fields with omitempty or omitzero,
// may be null. Tags refine it as those of [New] do. The error names the field that no strict schema can have: a map, an
// interface, a type that reads its own JSON, a struct that holds itself.
func StrictSchema(t reflect.Type) (json.RawMessage, error) {
	if t == nil || t.Kind() != reflect.Struct || t == reflect.TypeFor[time.Time]() || mapped(t) != nil {
		return nil, fmt.Errorf("want a struct, not %v", t)
	}
	if err := checkType(t, "the answer", nil); err != nil {
		return nil, err
	}
	root, err := reflectSchema(t)
	if err != nil {
		return nil, err
	}
	if err := strict(root, t, "the answer"); err != nil {
		return nil, err
	}
	if root.Title == "" {
		root.Title = t.Name()
	}
	data, err := json.Marshal(root)
	if err != nil {
		return nil, fmt.Errorf("encoding the schema: %w", err)
	}
	return data, jsonschemas.CheckStrict(data)
}

// strict brings the schema of a type into the strict form.
func strict(s *reflected.Schema, t reflect.Type, where string) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == reflect.TypeFor[time.Time]() || t.Implements(ownSchema) {
		return nil
	}
	switch t.Kind() {
	case reflect.Map, reflect.Interface:
		return fmt.Errorf("%s: %v: want a struct, whose fields are known", where, t)
	case reflect.Slice, reflect.Array:
		if s.Items == nil {
			return fmt.Errorf("%s: a model writes no %v", where, t)
		}
		return strict(s.Items, t.Elem(), where)
	case reflect.Struct:
		if mapped(t) != nil {
			return fmt.Errorf("%s: %v reads its own JSON, so that its schema is not known", where, t)
		}
		s.Required = []string{}
		for name := range s.Properties.KeysFromOldest() {
			s.Required = append(s.Required, name)
		}
		return strictFields(s, t)
	}
	if mapped(t) != nil && s.Type == "" {
		return errors.New(where + ": its schema is not known")
	}
	return nil
}

func strictFields(s *reflected.Schema, t reflect.Type) error {
	for field := range t.Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.Anonymous && name == "" { // its fields stand in s
			if inner := deref(field.Type); inner.Kind() == reflect.Struct {
				if err := strictFields(s, inner); err != nil {
					return err
				}
				continue
			}
		}
		if name == "" {
			name = field.Name
		}
		property, ok := s.Properties.Get(name)
		if !ok {
			continue // not in the JSON
		}
		if options := property.OneOf; len(options) == 2 && options[1].Type == "null" { // the tag nullable
			property = options[0]
		}
		if err := strict(property, field.Type, "field "+field.Name); err != nil {
			return err
		}
		nullable := property != s.Properties.Value(name) || field.Type.Kind() == reflect.Pointer
		for option := range strings.SplitSeq(options, ",") {
			nullable = nullable || option == "omitempty" || option == "omitzero"
		}
		if nullable && !slices.ContainsFunc(property.AnyOf, func(o *reflected.Schema) bool { return o.Type == "null" }) {
			property = &reflected.Schema{AnyOf: []*reflected.Schema{property, {Type: "null"}}}
		}
		s.Properties.Set(name, property)
	}
	return nil
}

func deref(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}
