package batch

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

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
		if at, err := time.Parse(time.RFC3339Nano, v); err == nil {
			return at, nil
		}
	}
	return nil, wantCell("a time such as 2006-01-02T15:04:05Z", value)
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
	var vector []float32
	if json.Unmarshal(list, &vector) == nil && vector != nil {
		return vector, nil
	}
	return nil, wantCell("a list of numbers", value)
}

func wantCell(want string, value any) error {
	raw, err := appendCell(nil, value)
	if err != nil {
		return fmt.Errorf("want %s, got a %T", want, value)
	}
	return fmt.Errorf("want %s, got %s", want, excerpt(raw))
}
