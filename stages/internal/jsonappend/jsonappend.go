// Package jsonappend appends JSON to byte slices without reflection where the value's type allows it. What it appends
// never holds a newline, so that a value can stand in a JSON Lines file.
package jsonappend

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

const hex = "0123456789abcdef"

// String appends s as a JSON string. Bytes that are not UTF-8 become U+FFFD, as encoding/json writes them.
func String(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' {
				i++
				continue
			}
			dst = append(dst, s[start:i]...)
			switch c {
			case '"', '\\':
				dst = append(dst, '\\', c)
			case '\n':
				dst = append(dst, '\\', 'n')
			case '\r':
				dst = append(dst, '\\', 'r')
			case '\t':
				dst = append(dst, '\\', 't')
			default:
				dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xF])
			}
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			dst = append(dst, s[start:i]...)
			dst = append(dst, `\ufffd`...)
			start = i + size
		case r == '\u2028' || r == '\u2029': // legal in JSON, a line end in JavaScript and to some readers of lines
			dst = append(dst, s[start:i]...)
			dst = append(dst, '\\', 'u', '2', '0', '2', hex[r&0xF])
			start = i + size
		}
		i += size
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// Key appends a member's name and its colon, and a comma before it unless it is the object's first.
func Key(dst []byte, name string) []byte {
	if n := len(dst); n > 0 && dst[n-1] != '{' {
		dst = append(dst, ',')
	}
	return append(String(dst, name), ':')
}

// Seconds appends d as a number of seconds.
func Seconds(dst []byte, d time.Duration) []byte {
	return strconv.AppendFloat(dst, d.Seconds(), 'f', -1, 64)
}

// Raw appends raw, which must be one JSON value, compacted.
func Raw(dst []byte, raw []byte) ([]byte, error) {
	buf := bytes.NewBuffer(dst)
	if err := json.Compact(buf, raw); err != nil {
		return dst, err
	}
	return buf.Bytes(), nil
}

// Value appends any value that encoding/json can encode.
func Value(dst []byte, v any) ([]byte, error) {
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
	case json.Number:
		if v == "" { // as encoding/json has it: the zero Number is 0
			return append(dst, '0'), nil
		}
		return Raw(dst, []byte(v))
	case json.RawMessage:
		if v == nil {
			return append(dst, "null"...), nil
		}
		return Raw(dst, v)
	case map[string]any:
		return Map(dst, v)
	case []any:
		if v == nil {
			return append(dst, "null"...), nil
		}
		return array(dst, v)
	default:
		return reflected(dst, v)
	}
}

// Map appends an object with its keys in order. A nil map is null.
func Map[V any](dst []byte, m map[string]V) ([]byte, error) {
	if m == nil {
		return append(dst, "null"...), nil
	}
	dst = append(dst, '{')
	dst, err := Members(dst, m)
	if err != nil {
		return dst, err
	}
	return append(dst, '}'), nil
}

// Members appends the members of m, keys in order, to the object that dst has open.
func Members[V any](dst []byte, m map[string]V) ([]byte, error) {
	var err error
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if dst, err = Value(Key(dst, key), m[key]); err != nil {
			return dst, fmt.Errorf("%q: %w", key, err)
		}
	}
	return dst, nil
}

func array(dst []byte, values []any) ([]byte, error) {
	dst = append(dst, '[')
	var err error
	for i, v := range values {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = Value(dst, v); err != nil {
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
