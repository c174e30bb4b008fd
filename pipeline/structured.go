package pipeline

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/gluepipe/gluepipe/stages/tool"
)

// Structured returns the JSON schema of a Go struct, for Config.Schema; Result.StructuredOutput can then be decoded into a T.
// It follows the json tags, and tags of the form `jsonschema:"enum=good,enum=bad,minimum=1"` and
// `jsonschema_description:"..."` tell the model more. All fields are required; pointers, and fields with omitempty or
// omitzero, may be null in the answer.
//
// It panics for a type that models can't be held to: one that is no struct, or has a map, an interface, bytes, itself, or a
// type that reads its own JSON inside.
func Structured[T any]() json.RawMessage {
	schema, err := tool.StrictSchema(reflect.TypeFor[T]())
	if err != nil {
		panic(fmt.Sprintf("gluepipe: pipeline.Structured[%v]: %v", reflect.TypeFor[T](), err))
	}
	return schema
}
