package schema

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// maxReasons bounds how many things that are wrong one error names: a model needs a few, not all of a long list.
const maxReasons = 5

// Explain says in one line what is wrong with a value that breaks a schema.
func Explain(err error) error {
	invalid, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return err
	}
	reasons := appendReasons(nil, invalid, message.NewPrinter(language.English))
	slices.Sort(reasons) // the validator ranges over maps
	reasons = slices.Compact(reasons)
	more := ""
	if n := len(reasons) - maxReasons; n > 0 {
		reasons, more = reasons[:maxReasons], fmt.Sprintf("; and %d more", n)
	}
	return errors.New(strings.Join(reasons, "; ") + more)
}

func appendReasons(reasons []string, e *jsonschema.ValidationError, printer *message.Printer) []string {
	for _, cause := range e.Causes {
		reasons = appendReasons(reasons, cause, printer)
	}
	if len(e.Causes) > 0 {
		return reasons
	}
	at := func(reason string, path ...string) string {
		return fmt.Sprintf("at %q: %s", Pointer(slices.Concat(e.InstanceLocation, path)), reason)
	}
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		for _, name := range k.Missing {
			reasons = append(reasons, at("missing property", name))
		}
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			reasons = append(reasons, at("unknown property", name))
		}
	default:
		reasons = append(reasons, at(e.ErrorKind.LocalizedString(printer)))
	}
	return reasons
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// Pointer writes a path as a JSON pointer.
func Pointer(path []string) string {
	var b strings.Builder
	for _, name := range path {
		b.WriteByte('/')
		b.WriteString(pointerEscapes.Replace(name))
	}
	return b.String()
}
