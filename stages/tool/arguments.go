package tool

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	jsonschemas "github.com/gluepipe/gluepipe/stages/internal/schema"
)

// decode checks arguments against the schema and decodes them into args, a pointer.
func (s *schema) decode(arguments json.RawMessage, args any) error {
	doc, err := readPlain(arguments)
	if err != nil {
		return err
	}
	if members, ok := doc.(map[string]any); ok {
		maps.DeleteFunc(members, func(name string, value any) bool { return value == nil && s.optional[name] })
	}
	if err := s.compiled.Validate(doc); err != nil {
		return jsonschemas.Explain(err)
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

// readPlain reads arguments for the validator, which would take its time with a number such as 1e999999999.
func readPlain(arguments json.RawMessage) (any, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(arguments))
	if err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	return plainNumbers(doc)
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

// explainDecoding puts the decoder's words for a value that its Go type can't hold (an int8 of 300) into the schema's.
func explainDecoding(err error) error {
	mismatch, ok := errors.AsType[*json.UnmarshalTypeError](err)
	if !ok {
		return err
	}
	path := strings.Split(mismatch.Field, ".")
	return fmt.Errorf("at %q: %s doesn't fit, want %v", jsonschemas.Pointer(path), mismatch.Value, mismatch.Type)
}
