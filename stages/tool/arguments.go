package tool

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// decode checks arguments against the schema and decodes them into args, a pointer.
func (s *schema) decode(arguments json.RawMessage, args any) error {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(arguments))
	if err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	doc, err = plainNumbers(doc)
	if err != nil {
		return err
	}
	if members, ok := doc.(map[string]any); ok {
		maps.DeleteFunc(members, func(name string, value any) bool { return value == nil && s.optional[name] })
	}
	if err := s.compiled.Validate(doc); err != nil {
		return explain(err)
	}
	// From doc rather than from arguments: a Go int can't be read from 3.0.
	plain, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(plain, args); err != nil {
		return explainDecoding(err)
	}
	return nil
}

// plainNumbers writes whole numbers such as 3.0 and 1e3 as integers, in place, and refuses what a float64 can't hold.
func plainNumbers(v any) (any, error) {
	var err error
	switch v := v.(type) {
	case json.Number:
		return plainNumber(v)
	case map[string]any:
		for name := range v {
			if v[name], err = plainNumbers(v[name]); err != nil {
				return nil, err
			}
		}
	case []any:
		for i := range v {
			if v[i], err = plainNumbers(v[i]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

func plainNumber(n json.Number) (json.Number, error) {
	if !strings.ContainsAny(string(n), ".eE") {
		return n, nil
	}
	f, err := strconv.ParseFloat(string(n), 64)
	if err != nil {
		return "", fmt.Errorf("the number %.40s is too large", n)
	}
	const exact = 1 << 53 // up to here a float64 holds every integer
	if f == math.Trunc(f) && math.Abs(f) <= exact {
		return json.Number(strconv.FormatInt(int64(f), 10)), nil
	}
	return n, nil
}

// maxReasons bounds how many things that are wrong one error names: a model needs a few, not all of a long list.
const maxReasons = 5

// explain says in one line what is wrong with arguments that break their schema.
func explain(err error) error {
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
		return fmt.Sprintf("at %q: %s", pointer(slices.Concat(e.InstanceLocation, path)), reason)
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

// pointer writes a path as a JSON pointer.
func pointer(path []string) string {
	var b strings.Builder
	for _, name := range path {
		b.WriteByte('/')
		b.WriteString(pointerEscapes.Replace(name))
	}
	return b.String()
}

// explainDecoding puts the decoder's words for a value that its Go type can't hold (an int8 of 300) into the schema's.
func explainDecoding(err error) error {
	mismatch, ok := errors.AsType[*json.UnmarshalTypeError](err)
	if !ok {
		return err
	}
	path := strings.Split(mismatch.Field, ".")
	return fmt.Errorf("at %q: %s doesn't fit, want %v", pointer(path), mismatch.Value, mismatch.Type)
}
