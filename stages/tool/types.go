package tool

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/invopop/jsonschema"
)

var (
	jsonMarshaler   = reflect.TypeFor[json.Marshaler]()
	textMarshaler   = reflect.TypeFor[encoding.TextMarshaler]()
	jsonUnmarshaler = reflect.TypeFor[json.Unmarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
	ownSchema       = reflect.TypeFor[interface{ JSONSchema() *jsonschema.Schema }]()
	aliasSchema     = reflect.TypeFor[interface{ JSONSchemaAlias() any }]()
)

// implements tells whether encoding/json would find the interface on an addressable value of type t.
func implements(t, iface reflect.Type) bool {
	return t.Implements(iface) || reflect.PointerTo(t).Implements(iface)
}

// mapped gives the schema of a type whose fields say nothing of its JSON: an interface, or a type that reads its own. It is
// nil for a type that the reflector knows best.
func mapped(t reflect.Type) *jsonschema.Schema {
	switch {
	case t == reflect.TypeFor[time.Time](), t.Implements(ownSchema):
		return nil
	case t.Kind() == reflect.Interface, implements(t, jsonUnmarshaler):
		// Extras make it {} where the reflector writes true, which many servers don't take.
		return &jsonschema.Schema{Extras: map[string]any{}}
	case implements(t, textUnmarshaler):
		return &jsonschema.Schema{Type: "string"}
	}
	return nil
}

// checkArgs refuses argument types that no JSON object can be decoded into, or whose schema would need references.
func checkArgs(t reflect.Type) error {
	switch {
	case t.Kind() == reflect.Map && t.Key().Kind() == reflect.String:
	case t.Kind() == reflect.Struct && mapped(t) == nil && t != reflect.TypeFor[time.Time]():
	default:
		return fmt.Errorf("the arguments must be a struct or a map with string keys, not %v", t)
	}
	return checkType(t, "the arguments", nil)
}

func checkType(t reflect.Type, where string, inside []reflect.Type) error {
	if t.Kind() == reflect.Interface && t.NumMethod() > 0 {
		return fmt.Errorf("%s: %v can't be read from JSON", where, t)
	}
	if t == reflect.TypeFor[time.Time]() || t.Implements(ownSchema) || t.Implements(aliasSchema) || mapped(t) != nil {
		return nil
	}
	if slices.Contains(inside, t) {
		return fmt.Errorf("%s: %v contains itself", where, t)
	}
	inside = append(slices.Clip(inside), t)
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer, reflect.Uintptr:
		return fmt.Errorf("%s: %v can't be read from JSON", where, t)
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return checkType(t.Elem(), where, inside)
	case reflect.Map:
		return checkMap(t, where, inside)
	case reflect.Struct:
		for field := range t.Fields() {
			ignored := strings.HasPrefix(field.Tag.Get("json")+",", "-,") && field.Tag.Get("json") != "-,"
			if ignored || !field.IsExported() && !field.Anonymous {
				continue
			}
			if err := checkType(field.Type, "field "+field.Name, inside); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkMap(t reflect.Type, where string, inside []reflect.Type) error {
	switch t.Key().Kind() {
	case reflect.String,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
	default:
		if !implements(t.Key(), textUnmarshaler) {
			return fmt.Errorf("%s: %v can't be read from JSON: its keys are no strings", where, t)
		}
	}
	return checkType(t.Elem(), where, inside)
}
