package tool

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/gluepipe/gluepipe/stages/internal/jsonappend"
)

// text turns a tool's result into the text that the model reads.
func text(out any) (string, error) {
	switch out := out.(type) {
	case string:
		return out, nil
	case []byte:
		return string(out), nil
	case json.RawMessage:
		return string(out), nil
	}
	data, err := jsonappend.Value(nil, out)
	if err != nil {
		return "", fmt.Errorf("encoding the result: %w", err)
	}
	if data[0] != '"' {
		return string(data), nil
	}
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return "", fmt.Errorf("encoding the result: %w", err)
	}
	return s, nil
}

// encodable tells whether a type can be JSON, as far as its outermost kind says.
func encodable(t reflect.Type) bool {
	if implements(t, jsonMarshaler) || implements(t, textMarshaler) {
		return true
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer:
		return false
	}
	return true
}
