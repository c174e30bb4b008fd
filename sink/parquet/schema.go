package parquet

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// schemaOf returns the schema of a table. All columns are optional.
func schemaOf(columns []batch.Column) *parquet.Schema {
	var root table
	for _, column := range columns {
		root.fields = append(root.fields, field{Node: nodeOf(column.Type), name: column.Name})
	}
	return parquet.NewSchema("results", root)
}

func nodeOf(t batch.ColumnType) parquet.Node {
	switch t {
	case batch.IntColumn:
		return parquet.Optional(parquet.Int(64))
	case batch.FloatColumn:
		return parquet.Optional(parquet.Leaf(parquet.DoubleType))
	case batch.BoolColumn:
		return parquet.Optional(parquet.Leaf(parquet.BooleanType))
	case batch.TimeColumn:
		return parquet.Optional(parquet.Timestamp(parquet.Microsecond))
	case batch.BytesColumn:
		return parquet.Optional(parquet.Leaf(parquet.ByteArrayType))
	case batch.VectorColumn:
		return parquet.Optional(parquet.List(parquet.Leaf(parquet.FloatType)))
	case batch.JSONColumn:
		return parquet.Optional(parquet.JSON())
	default:
		return parquet.Optional(parquet.String())
	}
}

// bulky tells whether the values of a type may be long: their least and greatest are no use as statistics.
func bulky(t batch.ColumnType) bool {
	return t == batch.TextColumn || t == batch.JSONColumn || t == batch.BytesColumn
}

// table is a group whose fields keep their order. Those of [parquet.Group] are sorted by name.
type table struct {
	parquet.Group
	fields []parquet.Field
}

func (t table) Fields() []parquet.Field { return t.fields }

type field struct {
	parquet.Node
	name string
}

func (f field) Name() string { return f.name }

// Value is for rows that are Go values. Ours are Parquet's.
func (f field) Value(reflect.Value) reflect.Value { return reflect.Value{} }

// checkColumns tells which column of a file is the first that isn't as it is to be written.
func checkColumns(file *parquet.File, columns []batch.Column) error {
	want, have := schemaOf(columns).Fields(), file.Root().Fields()
	for i := range max(len(want), len(have)) {
		if w, h := describeAt(want, i), describeAt(have, i); w != h {
			return fmt.Errorf("its column %d is %s, and this run writes %s", i+1, h, w)
		}
	}
	return nil
}

func describeAt(fields []parquet.Field, i int) string {
	if i >= len(fields) {
		return "missing"
	}
	return strconv.Quote(fields[i].Name()) + " " + describe(fields[i])
}

// describe names the type of a column, as Parquet does.
func describe(f parquet.Field) string {
	if f.Leaf() {
		return repetition(f) + f.Type().String()
	}
	var parts []string
	for _, child := range f.Fields() {
		parts = append(parts, describe(child))
	}
	return repetition(f) + "group of " + strings.Join(parts, ", ")
}

func repetition(n parquet.Node) string {
	switch {
	case n.Repeated():
		return "repeated "
	case n.Required():
		return "required "
	}
	return ""
}

// appendValue appends a value of a column as Parquet has it, at the column's place in the row.
func appendValue(row parquet.Row, value any, at int) parquet.Row {
	switch v := value.(type) {
	case string:
		return append(row, parquet.ByteArrayValue([]byte(v)).Level(0, 1, at))
	case int64:
		return append(row, parquet.Int64Value(v).Level(0, 1, at))
	case float64:
		return append(row, parquet.DoubleValue(v).Level(0, 1, at))
	case json.Number:
		f, err := v.Float64()
		if err != nil && !math.IsInf(f, 0) {
			break
		}
		return append(row, parquet.DoubleValue(f).Level(0, 1, at))
	case bool:
		return append(row, parquet.BooleanValue(v).Level(0, 1, at))
	case time.Time:
		return append(row, parquet.Int64Value(v.UnixMicro()).Level(0, 1, at))
	case []byte:
		return append(row, parquet.ByteArrayValue(v).Level(0, 1, at))
	case json.RawMessage:
		return append(row, parquet.ByteArrayValue(v).Level(0, 1, at))
	case []float32:
		return appendVector(row, v, at)
	}
	return append(row, parquet.NullValue().Level(0, 0, at))
}

func appendVector(row parquet.Row, vector []float32, at int) parquet.Row {
	if len(vector) == 0 {
		return append(row, parquet.NullValue().Level(0, 1, at))
	}
	for i, f := range vector {
		row = append(row, parquet.FloatValue(f).Level(min(i, 1), 2, at))
	}
	return row
}
