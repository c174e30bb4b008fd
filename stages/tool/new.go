package tool

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// validName is what OpenAI takes as a function's name; other servers take at least that.
var validName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

var errInvalidName = errors.New("a name has 1 to 64 letters, digits, underscores and hyphens")

// New makes a tool from a typed function. The name has 1 to 64 letters, digits, underscores and hyphens; the description
// tells the model what the tool is for.
//
// Args is a struct, or a map with string keys. Its JSON schema follows the json tags: a field without omitempty or omitzero
// is required, and a property that no field has is refused. Tags of the form `jsonschema:"enum=km,enum=miles,minimum=0"`
// and `jsonschema_description:"..."` refine it, as github.com/invopop/jsonschema has them. The model's arguments are checked
// against the schema before fn sees them; null for an optional argument counts as left out, and 3.0 is a whole number.
//
// What fn returns becomes text: a string, []byte or json.RawMessage as it is, anything else as JSON, without the quotes where
// the JSON is a string (a [time.Time], say). String methods are not used. The text of an error is what the model reads, so
// it should say what to do differently and hold no secrets; what fn returns beside a [*CutError] is the beginning of its
// result. fn may be called by many goroutines at once and should return when ctx ends.
//
// New panics where the name is not valid, fn is nil, or Args or Out can't be JSON; a struct that contains itself counts as
// such. Mark a tool that changes nothing in the world by setting ReadOnly on what New returns.
func New[Args, Out any](name, description string, fn func(ctx context.Context, args Args) (Out, error)) batch.Tool {
	schema, err := check[Args, Out](name, fn == nil)
	if err != nil {
		panic(fmt.Sprintf("gluepipe: tool.New(%q): %v", name, err))
	}
	return batch.Tool{
		Name:        name,
		Description: description,
		Parameters:  schema.json,
		Call: func(ctx context.Context, arguments json.RawMessage) (string, error) {
			var args Args
			if err := schema.decode(arguments, &args); err != nil {
				return "", fmt.Errorf("arguments: %w", err)
			}
			out, err := fn(ctx, args)
			if _, cut := errors.AsType[*CutError](err); err != nil && !cut {
				return "", err
			}
			answer, encoding := text(out)
			return answer, cmp.Or(encoding, err)
		},
	}
}

func check[Args, Out any](name string, missing bool) (*schema, error) {
	switch {
	case !validName.MatchString(name):
		return nil, errInvalidName
	case missing:
		return nil, errors.New("the function is nil")
	}
	if out := reflect.TypeFor[Out](); !encodable(out) {
		return nil, fmt.Errorf("a result of type %v can't be turned into text", out)
	}
	return newSchema(reflect.TypeFor[Args]())
}
