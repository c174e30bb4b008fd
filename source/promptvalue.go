package source

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// valueText returns a value as a prompt or an id shows it.
func valueText(value any) (string, error) {
	switch v := value.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case int:
		return strconv.Itoa(v), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case []byte:
		if utf8.Valid(v) {
			return string(v), nil
		}
	}
	cell, err := batch.Cell(batch.TextColumn, value)
	text, _ := cell.(string) // a number that JSON doesn't have, and JSON's null, are as NULL
	return text, err
}

// templateValue returns a cell's value as a template walks and compares it: nil, a string, bool, int64, float64, json.Number,
// time.Time, []float32, []any or map[string]any.
func templateValue(value any) (any, error) {
	switch v := value.(type) {
	case []byte:
		return valueText(v)
	case json.Number:
		return templateNumber(v), nil
	case json.RawMessage:
		decoder := json.NewDecoder(bytes.NewReader(v))
		decoder.UseNumber()
		var decoded any
		if err := decoder.Decode(&decoded); err != nil {
			return nil, err
		}
		return templateJSON(decoded), nil
	}
	return value, nil
}

func templateJSON(value any) any {
	switch v := value.(type) {
	case json.Number:
		return templateNumber(v)
	case []any:
		for i := range v {
			v[i] = templateJSON(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = templateJSON(v[key])
		}
	}
	return value
}

// templateNumber makes a number of its digits where that loses none of them.
func templateNumber(digits json.Number) any {
	if n, err := strconv.ParseInt(digits.String(), 10, 64); err == nil && strconv.FormatInt(n, 10) == digits.String() {
		return n
	}
	f, err := digits.Float64()
	if err == nil && strconv.FormatFloat(f, 'f', -1, 64) == digits.String() {
		return f
	}
	return digits
}
