package batch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gluepipe/gluepipe/stages/internal/jsonscan"
)

// UnmarshalJSON reads an object in the order of its members. Their types are those of the JSON: whole numbers are int where
// they fit, other numbers float with their digits kept, lists, objects and nulls are json. Times and bytes come as the
// texts they are; [Cell] makes them again.
func (r *Row) UnmarshalJSON(data []byte) error {
	*r = Row{}
	if !jsonscan.Valid(data) && !json.Valid(data) {
		return json.Unmarshal(data, new(any)) // which says where it is wrong
	}
	rest := trimJSON(data)
	if rest[0] != '{' {
		return fmt.Errorf("want a JSON object, got %s", excerpt(data))
	}
	for rest = trimJSON(rest[1:]); rest[0] != '}'; {
		var name, raw []byte
		name, rest = cutJSON(rest)
		raw, rest = cutJSON(trimJSON(rest[1:])) // behind the colon
		if rest[0] == ',' {
			rest = trimJSON(rest[1:])
		}
		column, value := readCell(raw)
		if kept, ok := value.(json.RawMessage); ok {
			value = slices.Clone(kept) // data is the caller's
		}
		column.Name = unquote(name)
		if r.Columns == nil {
			const usual = 16
			r.Columns, r.Values = make([]Column, 0, usual), make([]any, 0, usual)
		}
		r.Columns, r.Values = append(r.Columns, column), append(r.Values, value)
	}
	return nil
}

// readCell takes a JSON value for what it is. Only lists and objects share the memory of raw.
func readCell(raw json.RawMessage) (Column, any) {
	switch c := raw[0]; {
	case c == 'n':
		return Column{Type: JSONColumn}, nil
	case c == 't', c == 'f':
		return Column{Type: BoolColumn}, c == 't'
	case c == '"':
		return Column{Type: TextColumn}, unquote(raw)
	case c == '-' || c >= '0' && c <= '9':
		if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
			return Column{Type: IntColumn}, n
		}
		return Column{Type: FloatColumn}, json.Number(raw)
	}
	return Column{Type: JSONColumn}, raw
}

// unquote returns the text that a JSON string stands for.
func unquote(raw []byte) string {
	text, ok := jsonscan.Text(raw)
	if !ok { // not UTF-8
		_ = json.Unmarshal(raw, &text) // it is valid
	}
	return text
}

// cutJSON cuts the value that valid JSON begins with. rest is what follows it, behind the space.
func cutJSON(data []byte) (value, rest []byte) {
	n := 0
	for depth := 0; ; {
		switch data[n] {
		case '"':
			n += stringLen(data[n:])
		case '{', '[':
			depth++
			n++
		case '}', ']':
			depth--
			n++
		default:
			n++
			if depth == 0 && n < len(data) && strings.IndexByte(",:]} \t\r\n", data[n]) < 0 {
				continue // a number, true, false or null
			}
		}
		if depth == 0 || n == len(data) {
			return data[:n], trimJSON(data[n:])
		}
	}
}

// stringLen returns the length of the string that valid JSON begins with.
func stringLen(data []byte) int {
	for n := 1; ; n++ {
		switch data[n] {
		case '\\':
			n++
		case '"':
			return n + 1
		}
	}
}

// trimJSON trims the space that JSON may have before a value.
func trimJSON(data []byte) []byte { return bytes.TrimLeft(data, " \t\r\n") }
