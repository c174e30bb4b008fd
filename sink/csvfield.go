package sink

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// appendCSVValue appends a value of a table, not quoted yet.
func appendCSVValue(dst []byte, value any) ([]byte, error) {
	switch v := value.(type) {
	case string:
		return append(dst, v...), nil
	case bool:
		return strconv.AppendBool(dst, v), nil
	case int64:
		return strconv.AppendInt(dst, v, 10), nil
	case json.Number:
		return append(dst, v...), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) { // unlike JSON, tables have them
			return strconv.AppendFloat(dst, v, 'g', -1, 64), nil
		}
	case time.Time:
		return v.AppendFormat(dst, time.RFC3339Nano), nil
	case []byte:
		return base64.StdEncoding.AppendEncode(dst, v), nil
	case json.RawMessage:
		return append(dst, v...), nil
	}
	cell, err := batch.Cell(batch.JSONColumn, value)
	if err != nil {
		return dst, err
	}
	return append(dst, cell.(json.RawMessage)...), nil
}

// appendField appends a field, quoted where it must be. An empty one is a text: what is null isn't written.
func appendField(dst, field []byte, comma string) []byte {
	if !mustQuote(field, comma) {
		return append(dst, field...)
	}
	dst = append(dst, '"')
	for {
		quote := bytes.IndexByte(field, '"')
		if quote < 0 {
			return append(append(dst, field...), '"')
		}
		dst = append(append(dst, field[:quote+1]...), '"')
		field = field[quote+1:]
	}
}

// mustQuote tells whether readers would take the field for something else. Some trim spaces, and to Postgres \. is the end.
func mustQuote(field []byte, comma string) bool {
	return len(field) == 0 || field[0] == ' ' || field[0] == '\t' || string(field) == `\.` ||
		bytes.ContainsAny(field, "\"\r\n") || bytes.Contains(field, []byte(comma))
}

var (
	errBareQuote  = errors.New("a quote in a field that isn't quoted")
	errAfterQuote = errors.New("text behind the closing quote of a field")
	errOpenQuote  = errors.New("a quote that isn't closed")
)

// fieldSplitter parts rows into fields.
type fieldSplitter struct {
	comma    []byte
	fields   [][]byte
	unquoted []byte // the texts of fields that hold quotes
}

// split returns the fields of a row, valid until the next call and as long as the row is. An empty field is nil, an empty
// text is not.
func (s *fieldSplitter) split(row []byte) ([][]byte, error) {
	s.fields, s.unquoted = s.fields[:0], s.unquoted[:0]
	for {
		field, rest, more, err := s.cut(row)
		if err != nil {
			return nil, fmt.Errorf("field %d has %w", len(s.fields)+1, err)
		}
		s.fields = append(s.fields, field)
		if !more {
			return s.fields, nil
		}
		row = rest
	}
}

// cut returns the first field of a row, and what is behind the comma if there is one.
func (s *fieldSplitter) cut(row []byte) (field, rest []byte, more bool, err error) {
	if len(row) > 0 && row[0] == '"' {
		field, rest, err = s.cutQuoted(row[1:])
		if err != nil || len(rest) == 0 {
			return field, nil, false, err
		}
		if rest, more = bytes.CutPrefix(rest, s.comma); !more {
			return nil, nil, false, errAfterQuote
		}
		return field, rest, true, nil
	}
	field, rest, more = bytes.Cut(row, s.comma)
	if bytes.IndexByte(field, '"') >= 0 {
		return nil, nil, false, errBareQuote
	}
	if len(field) == 0 {
		field = nil
	}
	return field, rest, more, nil
}

// cutQuoted returns the text up to the closing quote, and what is behind it.
func (s *fieldSplitter) cutQuoted(text []byte) (field, rest []byte, err error) {
	start, parts := len(s.unquoted), text
	for {
		quote := bytes.IndexByte(parts, '"')
		if quote < 0 {
			return nil, nil, errOpenQuote
		}
		rest = parts[quote+1:]
		if len(rest) > 0 && rest[0] == '"' { // it stands for one quote
			s.unquoted = append(s.unquoted, parts[:quote+1]...)
			parts = rest[1:]
			continue
		}
		if len(s.unquoted) == start {
			return text[:quote], rest, nil
		}
		s.unquoted = append(s.unquoted, parts[:quote]...)
		return s.unquoted[start:len(s.unquoted):len(s.unquoted)], rest, nil
	}
}
