package batch

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Cell returns value as one of a column of type t, for tables that hold one type a column: a number that came as a text, a
// time as of RFC 3339, and so on. JSON counts as the value it stands for. nil stays nil, and so do JSON's null and, where a
// text is wanted, numbers that JSON doesn't have. Its error says what was wanted: want a whole number, got "soon".
func Cell(t ColumnType, value any) (any, error) {
	if raw, ok := value.(json.RawMessage); ok {
		raw = bytes.TrimSpace(raw)
		switch {
		case string(raw) == "null":
			return nil, nil
		case t == JSONColumn:
			return value, nil
		case json.Valid(raw):
			_, value = readCell(raw)
		}
	}
	if value == nil {
		return nil, nil
	}
	switch t {
	case TextColumn:
		return cellText(value)
	case IntColumn:
		return cellInt(value)
	case FloatColumn:
		return cellFloat(value)
	case BoolColumn:
		return cellBool(value)
	case TimeColumn:
		return cellTime(value)
	case BytesColumn:
		return cellBytes(value)
	case VectorColumn:
		return cellVector(value)
	case JSONColumn:
		raw, err := appendCell(nil, value)
		return json.RawMessage(raw), err
	}
	return nil, errors.New("unknown column type " + t.String())
}

// The functions below make cells of values that are not nil, and of JSON only where it is a list or an object.

func cellText(value any) (any, error) {
	switch v := value.(type) {
	case string:
		return v, nil
	case json.Number:
		return v.String(), nil
	}
	raw, err := appendCell(nil, value)
	if err != nil || string(raw) == "null" {
		return nil, err
	}
	var text string
	if raw[0] == '"' && json.Unmarshal(raw, &text) == nil { // a time, or bytes
		return text, nil
	}
	return string(raw), nil
}

func cellInt(value any) (any, error) {
	text := ""
	switch v := value.(type) {
	case int64:
		return v, nil
	case float64:
		if v == math.Trunc(v) && -1<<63 <= v && v < 1<<63 {
			return int64(v), nil
		}
	case json.Number:
		text = v.String()
	case string:
		text = strings.TrimSpace(v)
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, nil
	}
	// 3.0 and 1e3 are whole, too.
	if f, err := strconv.ParseFloat(text, 64); err == nil && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return int64(f), nil
	}
	return nil, wantCell("a whole number", value)
}

func cellFloat(value any) (any, error) {
	switch v := value.(type) {
	case float64:
		return v, nil
	case int64:
		return json.Number(strconv.FormatInt(v, 10)), nil
	case json.Number:
		if _, err := v.Float64(); err == nil || errors.Is(err, strconv.ErrRange) {
			return v, nil
		}
	case string:
		if f, err := strconv.ParseFloat(strings.TrimSpace(v), 64); err == nil {
			return f, nil
		}
	}
	return nil, wantCell("a number", value)
}

func cellBool(value any) (any, error) {
	switch v := value.(type) {
	case bool:
		return v, nil
	case string:
		switch strings.ToLower(strings.TrimSpace(v)) {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
	}
	return nil, wantCell("true or false", value)
}

func cellTime(value any) (any, error) {
	switch v := value.(type) {
	case time.Time:
		return v, nil
	case string:
		if at, err := parseTime(v); err == nil {
			return at, nil
		}
	}
	return nil, wantCell("a time such as 2006-01-02T15:04:05Z", value)
}

// parseTime also reads the years beyond 9999 and before 0 that rows are written with: databases have them.
func parseTime(text string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339Nano, text)
	sign := len(text) - len(strings.TrimPrefix(text, "-"))
	end := sign + strings.IndexByte(text[sign:], '-') // of the year
	if err == nil || end < 5 || end > 8 {
		return at, err
	}
	year, err := strconv.Atoi(text[:end])
	if err != nil {
		return at, err
	}
	// The calendar is the same every 400 years.
	if at, err = time.Parse(time.RFC3339Nano, strconv.Itoa(2400+year%400)+text[end:]); err != nil {
		return at, err
	}
	return at.AddDate(year-at.Year(), 0, 0), nil
}

func cellBytes(value any) (any, error) {
	switch v := value.(type) {
	case []byte:
		return v, nil
	case string:
		if decoded, err := base64.StdEncoding.DecodeString(v); err == nil {
			return decoded, nil
		}
	}
	return nil, wantCell("a text in base64", value)
}

func cellVector(value any) (any, error) {
	var list []byte
	switch v := value.(type) {
	case []float32:
		return v, nil
	case json.RawMessage:
		list = v
	case string: // as tables without types hold it
		list = []byte(v)
	}
	if vector := readVector(list); vector != nil {
		return vector, nil
	}
	return nil, wantCell("a list of numbers", value)
}

// readVector reads what appendVector writes: null is no number. It returns nil for what is no list of numbers.
func readVector(list []byte) (vector []float32) {
	if !bytes.Contains(list, []byte("null")) {
		if json.Unmarshal(list, &vector) != nil {
			return nil
		}
		return vector
	}
	var numbers []*float32
	if json.Unmarshal(list, &numbers) != nil || numbers == nil {
		return nil
	}
	for _, n := range numbers {
		if n == nil {
			n = new(float32(math.NaN()))
		}
		vector = append(vector, *n)
	}
	return vector
}

func wantCell(want string, value any) error {
	raw, err := appendCell(nil, value)
	if err != nil {
		return fmt.Errorf("want %s, got a %T", want, value)
	}
	return fmt.Errorf("want %s, got %s", want, excerpt(raw))
}
