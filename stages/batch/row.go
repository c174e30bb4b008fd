package batch

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/gluepipe/gluepipe/stages/internal/jsonappend"
)

// ColumnType says what the values of a column are. Any of them may be nil.
type ColumnType int

// The types of columns, and the Go types of their values.
const (
	TextColumn   ColumnType = iota // string
	IntColumn                      // int64
	FloatColumn                    // float64, or json.Number where the digits are to be kept
	BoolColumn                     // bool
	TimeColumn                     // time.Time; in JSON a text as of RFC 3339
	BytesColumn                    // []byte; in JSON a text in base64
	VectorColumn                   // []float32, an embedding; in JSON a list of numbers
	JSONColumn                     // json.RawMessage: any value
)

var columnTypes = [...]string{"text", "int", "float", "bool", "time", "bytes", "vector", "json"}

// String returns the type's name: text, int, float, bool, time, bytes, vector or json.
func (t ColumnType) String() string {
	if t < 0 || int(t) >= len(columnTypes) {
		return "ColumnType(" + strconv.Itoa(int(t)) + ")"
	}
	return columnTypes[t]
}

// Column is a column of a table.
type Column struct {
	Name string
	Type ColumnType
}

// Row is a row of a table that a request was made from. It is read-only once a request has it.
type Row struct {
	Columns []Column // usually shared by all rows of a table
	Values  []any    // one for each column, of its type, or nil
}

// Value returns the value in the column of that name; nil where there is none.
func (r *Row) Value(name string) any {
	if r == nil {
		return nil
	}
	i := slices.IndexFunc(r.Columns, func(c Column) bool { return c.Name == name })
	if i < 0 || i >= len(r.Values) {
		return nil
	}
	return r.Values[i]
}

// MarshalJSON writes the row as an object, in the order of its columns.
func (r Row) MarshalJSON() ([]byte, error) { return r.appendJSON(nil) }

func (r *Row) appendJSON(dst []byte) ([]byte, error) {
	if len(r.Values) != len(r.Columns) {
		return dst, fmt.Errorf("a row of %d columns has %d values", len(r.Columns), len(r.Values))
	}
	dst = append(dst, '{')
	var err error
	for i, column := range r.Columns {
		if dst, err = appendCell(jsonappend.Key(dst, column.Name), r.Values[i]); err != nil {
			return dst, fmt.Errorf("column %q: %w", column.Name, err)
		}
	}
	return append(dst, '}'), nil
}

func appendCell(dst []byte, value any) ([]byte, error) {
	switch v := value.(type) {
	case time.Time:
		return jsonappend.String(dst, v.Format(time.RFC3339Nano)), nil
	case []byte:
		return jsonappend.String(dst, base64.StdEncoding.EncodeToString(v)), nil
	case []float32:
		return appendVector(dst, v), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) { // JSON has no such numbers
			return append(dst, "null"...), nil
		}
	case json.Number: // a database's decimals have them, too
		if f, err := v.Float64(); err == nil && (math.IsNaN(f) || math.IsInf(f, 0)) {
			return append(dst, "null"...), nil
		}
	}
	return jsonappend.Value(dst, value)
}
