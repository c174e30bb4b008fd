package batch_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestACellIsAValueOfItsColumnsType(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.FixedZone("", 3600))
	for _, c := range []struct {
		of          batch.ColumnType
		value, want any
	}{
		{batch.TextColumn, "a", "a"},
		{batch.TextColumn, "", ""},
		{batch.TextColumn, int64(-5), "-5"},
		{batch.TextColumn, 1.5, "1.5"},
		{batch.TextColumn, math.NaN(), nil},
		{batch.TextColumn, json.Number("1.50"), "1.50"},
		{batch.TextColumn, true, "true"},
		{batch.TextColumn, at, "2026-01-02T03:04:05.000006+01:00"},
		{batch.TextColumn, []byte{0xfb}, "+w=="},
		{batch.TextColumn, []float32{0.1}, "[0.1]"},
		{batch.TextColumn, json.RawMessage(` "a\n"`), "a\n"},
		{batch.TextColumn, json.RawMessage(`{"a":1}`), `{"a":1}`},
		{batch.TextColumn, json.RawMessage(`12`), "12"},
		{batch.TextColumn, json.RawMessage(` null `), nil},

		{batch.IntColumn, int64(5), int64(5)},
		{batch.IntColumn, 5.0, int64(5)},
		{batch.IntColumn, -math.Pow(2, 63), int64(math.MinInt64)},
		{batch.IntColumn, " 5 ", int64(5)},
		{batch.IntColumn, "5.0", int64(5)},
		{batch.IntColumn, json.Number("9223372036854775807"), int64(math.MaxInt64)},
		{batch.IntColumn, json.RawMessage(`1e3`), int64(1000)},
		{batch.IntColumn, json.RawMessage(`"7"`), int64(7)},

		{batch.FloatColumn, 1.5, 1.5},
		{batch.FloatColumn, int64(math.MaxInt64), json.Number("9223372036854775807")},
		{batch.FloatColumn, json.Number("0.10"), json.Number("0.10")},
		{batch.FloatColumn, json.Number("1e999"), json.Number("1e999")},
		{batch.FloatColumn, " 1.5", 1.5},
		{batch.FloatColumn, json.RawMessage(`0.10`), json.Number("0.10")},

		{batch.BoolColumn, true, true},
		{batch.BoolColumn, " TRUE", true},
		{batch.BoolColumn, "False", false},
		{batch.BoolColumn, json.RawMessage(`true`), true},
		{batch.BoolColumn, json.RawMessage(`"false"`), false},

		{batch.TimeColumn, at, at},
		{batch.TimeColumn, "2026-01-02T03:04:05Z", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
		{batch.TimeColumn, json.RawMessage(`"2026-01-02T03:04:05Z"`), time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},

		{batch.BytesColumn, []byte{1}, []byte{1}},
		{batch.BytesColumn, "+w==", []byte{0xfb}},
		{batch.BytesColumn, json.RawMessage(`"+w=="`), []byte{0xfb}},

		{batch.VectorColumn, []float32{1}, []float32{1}},
		{batch.VectorColumn, json.RawMessage(`[0.1,-2]`), []float32{0.1, -2}},
		{batch.VectorColumn, json.RawMessage(`[]`), []float32{}},
		{batch.VectorColumn, "[0.1]", []float32{0.1}},

		{batch.JSONColumn, json.RawMessage(`{"a": 1}`), json.RawMessage(`{"a": 1}`)},
		{batch.JSONColumn, json.RawMessage(`null`), nil},
		{batch.JSONColumn, "a", json.RawMessage(`"a"`)},
		{batch.JSONColumn, int64(1), json.RawMessage(`1`)},
		{batch.JSONColumn, true, json.RawMessage(`true`)},
		{batch.JSONColumn, []float32{0.1}, json.RawMessage(`[0.1]`)},
		{batch.JSONColumn, map[string]any{"b": 1, "a": "<"}, json.RawMessage(`{"a":"<","b":1}`)},
	} {
		got, err := batch.Cell(c.of, c.value)
		require.NoError(t, err, "%s of %#v", c.of, c.value)
		require.Equal(t, c.want, got, "%s of %#v", c.of, c.value)
	}
	for of := batch.TextColumn; of <= batch.JSONColumn; of++ {
		got, err := batch.Cell(of, nil)
		require.NoError(t, err)
		require.Nil(t, got)
	}
}

func TestAValueThatIsNoCellOfAColumnIsAnErrorThatSaysWhatWasWanted(t *testing.T) {
	for _, c := range []struct {
		of    batch.ColumnType
		value any
		want  string
	}{
		{batch.TextColumn, make(chan int), "json: unsupported type: chan int"},
		{batch.IntColumn, "soon", `want a whole number, got "soon"`},
		{batch.IntColumn, "", `want a whole number, got ""`},
		{batch.IntColumn, 1.5, "want a whole number, got 1.5"},
		{batch.IntColumn, math.Pow(2, 63), "want a whole number, got 9223372036854776000"},
		{batch.IntColumn, math.Inf(1), "want a whole number, got null"},
		{batch.IntColumn, json.Number("9223372036854775808"), "want a whole number, got 9223372036854775808"},
		{batch.IntColumn, true, "want a whole number, got true"},
		{batch.IntColumn, make(chan int), "want a whole number, got a chan int"},
		{batch.FloatColumn, "1,5", `want a number, got "1,5"`},
		{batch.FloatColumn, json.Number("many"), "want a number, got a json.Number"},
		{batch.FloatColumn, json.RawMessage(`[1]`), "want a number, got [1]"},
		{batch.BoolColumn, int64(1), "want true or false, got 1"},
		{batch.BoolColumn, "yes", `want true or false, got "yes"`},
		{batch.TimeColumn, "tomorrow", `want a time such as 2006-01-02T15:04:05Z, got "tomorrow"`},
		{batch.TimeColumn, int64(0), "want a time such as 2006-01-02T15:04:05Z, got 0"},
		{batch.BytesColumn, "?", `want a text in base64, got "?"`},
		{batch.VectorColumn, json.RawMessage(`["a"]`), `want a list of numbers, got ["a"]`},
		{batch.VectorColumn, "null", `want a list of numbers, got "null"`},
		{batch.VectorColumn, 1.5, "want a list of numbers, got 1.5"},
		{batch.JSONColumn + 1, "a", "unknown column type ColumnType(8)"},
	} {
		_, err := batch.Cell(c.of, c.value)
		require.EqualError(t, err, c.want)
	}
	_, err := batch.Cell(batch.FloatColumn, json.RawMessage{})
	require.ErrorContains(t, err, "want a number, got a ")
}

func TestAVectorKeepsWhatIsNoNumberInJSON(t *testing.T) {
	data, err := batch.Row{
		Columns: []batch.Column{{Name: "v", Type: batch.VectorColumn}}, Values: []any{[]float32{1, float32(math.NaN()), -2}},
	}.MarshalJSON()
	require.NoError(t, err)
	var row batch.Row
	require.NoError(t, row.UnmarshalJSON(data))
	cell, err := batch.Cell(batch.VectorColumn, row.Values[0])
	require.NoError(t, err)
	vector := cell.([]float32)
	require.True(t, math.IsNaN(float64(vector[1])), "%v", vector)
	require.Equal(t, []float32{1, -2}, []float32{vector[0], vector[2]})
}

func TestJSONThatIsNoneIsAnErrorInAColumnOfAnyType(t *testing.T) {
	for _, raw := range []string{`"`, `"a`, `-`, `{`, `[1`, `nul`, ` `} {
		for of := range batch.JSONColumn {
			_, err := batch.Cell(of, json.RawMessage(raw))
			require.Error(t, err, "%s as %s", raw, of)
		}
	}
}

// What a table holds is the same after it was JSON, as the row of a result on disk is.
func TestAnyRowIsTheSameAfterItWasJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var row batch.Row
		for range rapid.IntRange(0, 6).Draw(t, "columns") {
			column := batch.Column{
				Name: rapid.String().Draw(t, "name"), Type: batch.ColumnType(rapid.IntRange(0, int(batch.JSONColumn)).Draw(t, "type")),
			}
			row.Columns, row.Values = append(row.Columns, column), append(row.Values, drawCell(t, column.Type))
		}
		data, err := json.Marshal(row)
		require.NoError(t, err)
		var read batch.Row
		require.NoError(t, json.Unmarshal(data, &read))
		require.Len(t, read.Columns, len(row.Columns))
		for i, column := range row.Columns {
			require.Equal(t, column.Name, read.Columns[i].Name)
			got, err := batch.Cell(column.Type, read.Values[i])
			require.NoError(t, err)
			if n, ok := got.(json.Number); ok {
				got, err = n.Float64()
				require.NoError(t, err)
			}
			require.Equal(t, row.Values[i], got)
		}
		again, err := json.Marshal(read)
		require.NoError(t, err)
		require.JSONEq(t, string(data), string(again))
	})
}

func drawCell(t *rapid.T, of batch.ColumnType) any {
	if rapid.Bool().Draw(t, "null") {
		return nil
	}
	switch of {
	case batch.TextColumn:
		return rapid.String().Draw(t, "text")
	case batch.IntColumn:
		return rapid.Int64().Draw(t, "int")
	case batch.FloatColumn:
		return rapid.Float64().Draw(t, "float")
	case batch.BoolColumn:
		return rapid.Bool().Draw(t, "bool")
	case batch.TimeColumn:
		return time.Unix(rapid.Int64Range(-1<<46, 1<<46).Draw(t, "seconds"), rapid.Int64Range(0, 1e9-1).Draw(t, "nanoseconds")).UTC()
	case batch.BytesColumn:
		return rapid.SliceOfN(rapid.Byte(), 1, -1).Draw(t, "bytes")
	case batch.VectorColumn:
		return rapid.SliceOfN(rapid.Float32(), 1, -1).Draw(t, "vector")
	}
	return json.RawMessage(rapid.SampledFrom([]string{`{"a":[1,null]}`, `[]`, `"a"`, `1.50`, `true`}).Draw(t, "json"))
}
