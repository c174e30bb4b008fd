package jsonappend

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/gluepipe/gluepipe/stages/internal/jsonscan"
)

// maxDepth is as deep as encoding/json reads. It ends the walk through a map that holds itself.
const maxDepth = 10000

var errTooDeep = errors.New("nested deeper than 10000 levels, or holding itself")

// Value appends any value that encoding/json can encode.
func Value(dst []byte, v any) ([]byte, error) {
	out, err := value(dst, v, 0)
	if err != nil {
		return dst, err
	}
	return out, nil
}

// Map appends an object with its keys in order. A nil map is null.
func Map[V any](dst []byte, m map[string]V) ([]byte, error) {
	out, err := object(dst, m, 0)
	if err != nil {
		return dst, err
	}
	return out, nil
}

// Members appends the members of m, keys in order, to the object that dst has open.
func Members[V any](dst []byte, m map[string]V) ([]byte, error) {
	out, err := members(dst, m, 0)
	if err != nil {
		return dst, err
	}
	return out, nil
}

func value(dst []byte, v any, depth int) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...), nil
	case string:
		return String(dst, v), nil
	case bool:
		return strconv.AppendBool(dst, v), nil
	case int:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case int64:
		return strconv.AppendInt(dst, v, 10), nil
	case float64:
		return float(dst, v)
	case json.Number:
		return number(dst, v)
	case json.RawMessage:
		if v == nil {
			return append(dst, "null"...), nil
		}
		return Raw(dst, v)
	case map[string]any:
		return object(dst, v, depth)
	case []any:
		return array(dst, v, depth)
	default:
		return reflected(dst, v)
	}
}

func number(dst []byte, n json.Number) ([]byte, error) {
	if n == "" { // as encoding/json has it: the zero Number is 0
		return append(dst, '0'), nil
	}
	if c := n[0]; c != '-' && (c < '0' || c > '9') {
		return dst, fmt.Errorf("%q is not a number", string(n))
	}
	if jsonscan.Compact([]byte(n)) {
		return append(dst, n...), nil
	}
	dst, err := Raw(dst, []byte(n))
	if err != nil {
		return dst, fmt.Errorf("%q is not a number", string(n))
	}
	return dst, nil
}

// float writes a number as encoding/json does, which leaves a single zero out of exponents such as e-09.
func float(dst []byte, f float64) ([]byte, error) {
	switch size := math.Abs(f); {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return reflected(dst, f)
	case size != 0 && size < 1e-6 || size >= 1e21:
		dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
		if n := len(dst); string(dst[n-4:n-1]) == "e-0" {
			dst = append(dst[:n-2], dst[n-1])
		}
		return dst, nil
	}
	return strconv.AppendFloat(dst, f, 'f', -1, 64), nil
}

func object[V any](dst []byte, m map[string]V, depth int) ([]byte, error) {
	if m == nil {
		return append(dst, "null"...), nil
	}
	dst, err := members(append(dst, '{'), m, depth)
	return append(dst, '}'), err
}

func members[V any](dst []byte, m map[string]V, depth int) ([]byte, error) {
	if depth == maxDepth {
		return dst, errTooDeep
	}
	if len(m) == 0 {
		return dst, nil
	}
	var err error
	var room [16]string // as many as most objects have
	for _, key := range sortedKeys(m, room[:0]) {
		dst, err = value(Key(dst, key), m[key], depth+1)
		switch {
		case errors.Is(err, errTooDeep): // a path of so many keys helps nobody
			return dst, errTooDeep
		case err != nil:
			return dst, fmt.Errorf("%q: %w", key, err)
		}
	}
	return dst, nil
}

// sortedKeys appends the keys to keys, which are none yet.
func sortedKeys[V any](m map[string]V, keys []string) []string {
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func array(dst []byte, values []any, depth int) ([]byte, error) {
	if values == nil {
		return append(dst, "null"...), nil
	}
	if depth == maxDepth {
		return dst, errTooDeep
	}
	dst = append(dst, '[')
	var err error
	for i, v := range values {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = value(dst, v, depth+1); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

func reflected(dst []byte, v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return dst, err
	}
	return append(dst, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...), nil
}
