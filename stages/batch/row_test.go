package batch_test

import (
	"encoding/json"
	"math"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestARowIsAnObjectInTheOrderOfItsColumns(t *testing.T) {
	row := batch.Row{
		Columns: []batch.Column{
			{Name: "text"},
			{Name: "int", Type: batch.IntColumn},
			{Name: "float", Type: batch.FloatColumn},
			{Name: "digits", Type: batch.FloatColumn},
			{Name: "bool", Type: batch.BoolColumn},
			{Name: "at", Type: batch.TimeColumn},
			{Name: "bytes", Type: batch.BytesColumn},
			{Name: "vector", Type: batch.VectorColumn},
			{Name: "json", Type: batch.JSONColumn},
			{Name: "a \"quote\"", Type: batch.JSONColumn},
		},
		Values: []any{
			"<b>\n", int64(math.MinInt64), 1.5, json.Number("1.50"), true, time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC),
			[]byte{0xfb, 0xff},
			[]float32{0.1, -2},
			json.RawMessage(`{"b": [1, 2], "a": null}`), nil,
		},
	}
	data, err := row.MarshalJSON()
	require.NoError(t, err)
	require.Equal(t, `{"text":"<b>\n","int":-9223372036854775808,"float":1.5,"digits":1.50,"bool":true,`+
		`"at":"2026-01-02T03:04:05.000006Z","bytes":"+/8=","vector":[0.1,-2],"json":{"b":[1,2],"a":null},"a \"quote\"":null}`,
		string(data))
}

func TestNumbersThatJSONDoesNotHaveAreNull(t *testing.T) {
	for _, value := range []any{
		math.NaN(), math.Inf(1), math.Inf(-1), json.Number("NaN"), json.Number("-Infinity"), json.Number("inf"),
	} {
		row := batch.Row{Columns: []batch.Column{{Name: "a"}}, Values: []any{value}}
		data, err := json.Marshal(row)
		require.NoError(t, err)
		require.JSONEq(t, `{"a":null}`, string(data))
	}
	row := batch.Row{Columns: []batch.Column{{Name: "a"}}, Values: []any{[]float32{1, float32(math.NaN())}}}
	data, err := json.Marshal(row)
	require.NoError(t, err)
	require.JSONEq(t, `{"a":[1,null]}`, string(data))
}

func TestAValueThatCannotBeJSONIsAnErrorThatNamesItsColumn(t *testing.T) {
	columns := []batch.Column{{Name: "a"}, {Name: "b"}}
	for _, value := range []any{json.RawMessage(`{`), json.Number("many"), make(chan int)} {
		_, err := batch.Row{Columns: columns, Values: []any{"x", value}}.MarshalJSON()
		require.ErrorContains(t, err, `column "b": `)
	}
	_, err := batch.Row{Columns: columns, Values: []any{"x"}}.MarshalJSON()
	require.EqualError(t, err, "a row of 2 columns has 1 values")
	r := batch.Result{ID: "a", Row: &batch.Row{Columns: columns}}
	_, err = r.AppendJSON(nil)
	require.EqualError(t, err, `result "a": field "row": a row of 2 columns has 0 values`)
}

func TestARowIsReadFromAnObjectInItsOrder(t *testing.T) {
	var row batch.Row
	require.NoError(t, json.Unmarshal([]byte(` { "z": "text", "a": 12, "big": 12345678901234567890, "n": 1.50, "e": 1e3, "t": true,
		"f": false, "null": null, "list": [1, "a"], "object": {"b": 1}, "": "unnamed" } `), &row))
	require.Equal(t, batch.Row{
		Columns: []batch.Column{
			{Name: "z"},
			{Name: "a", Type: batch.IntColumn},
			{Name: "big", Type: batch.FloatColumn},
			{Name: "n", Type: batch.FloatColumn},
			{Name: "e", Type: batch.FloatColumn},
			{Name: "t", Type: batch.BoolColumn},
			{Name: "f", Type: batch.BoolColumn},
			{Name: "null", Type: batch.JSONColumn},
			{Name: "list", Type: batch.JSONColumn},
			{Name: "object", Type: batch.JSONColumn},
			{Name: ""},
		},
		Values: []any{
			"text", int64(12), json.Number("12345678901234567890"), json.Number("1.50"), json.Number("1e3"), true, false, nil,
			json.RawMessage(`[1, "a"]`), json.RawMessage(`{"b": 1}`), "unnamed",
		},
	}, row)
	require.NoError(t, json.Unmarshal([]byte(`{}`), &row))
	require.Zero(t, row, "what it held is gone")
}

func TestARowKeepsNothingOfTheTextItWasReadFrom(t *testing.T) {
	data := []byte(`{"name":"text","list":[1,"a"],"n":1.50}`)
	var row batch.Row
	require.NoError(t, row.UnmarshalJSON(data))
	for i := range data {
		data[i] = '#'
	}
	require.Equal(t, []any{"text", json.RawMessage(`[1,"a"]`), json.Number("1.50")}, row.Values)
	require.Equal(t, "name", row.Columns[0].Name)
}

// FuzzReadRow says that a row reads from any text what encoding/json does.
func FuzzReadRow(f *testing.F) {
	for _, seed := range []string{
		`{}`, ` { "a" : 1 , "b":"\\\"}{" , "c":[{"d":["]"]}], "":null}`, `{"a":-0,"b":true}`, `{"\u00e4\ud800":"\u0000\u2028"}`,
		`{"a":{"b":"\""},"c":"\\"}`, "{\"a\":\"\xff\"}", `{"a":1}x`, `{"a"`, `[{}]`, ``, `null`, `{"a":[[[[]]]],"b":[ ] }`,
		`{"a":9223372036854775808,"b":1e400}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var row batch.Row
		var want map[string]json.RawMessage
		wantErr := json.Unmarshal(data, &want)
		err := row.UnmarshalJSON(data)
		if wantErr != nil || want == nil { // null
			require.Error(t, err)
			return
		}
		require.NoError(t, err)
		got := make(map[string]any)
		for i, column := range row.Columns {
			got[column.Name] = row.Values[i]
		}
		require.Len(t, got, len(want))
		for name, raw := range want {
			require.JSONEq(t, encoded(t, raw), encoded(t, got[name]))
		}
	})
}

// encoded is the JSON of a value, whose numbers may be too large for any float.
func encoded(t *testing.T, value any) string {
	raw, err := json.Marshal(value)
	require.NoError(t, err)
	return regexp.MustCompile(`\d[eE]\+?\d{3,}`).ReplaceAllString(string(raw), "0")
}

func BenchmarkReadRow(b *testing.B) {
	data := []byte(`{"id":"r1","review":"The soup was cold, \"again\", and nobody came for half an hour.","stars":2,"price":12.50,` +
		`"paid":true,"at":"2026-01-02T03:04:05Z","tags":["food","service"],"address":{"city":"Roma","zip":"00100"},"note":null}`)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		var row batch.Row
		if err := row.UnmarshalJSON(data); err != nil {
			b.Fatal(err)
		}
	}
}

func TestWhatIsNoObjectIsNoRow(t *testing.T) {
	for data, want := range map[string]string{
		`[1]`: "want a JSON object, got [1]", `"a"`: `want a JSON object, got "a"`, `5`: "want a JSON object, got 5",
	} {
		var row batch.Row
		require.EqualError(t, row.UnmarshalJSON([]byte(data)), want)
	}
	var row batch.Row
	require.Error(t, row.UnmarshalJSON(nil))
	require.Error(t, row.UnmarshalJSON([]byte(`{"a":`)))
	require.Error(t, row.UnmarshalJSON([]byte(`{"a"`)))
}

func TestAValueIsFoundByTheNameOfItsColumn(t *testing.T) {
	row := &batch.Row{Columns: []batch.Column{{Name: "a"}, {Name: "b"}, {Name: "c"}}, Values: []any{"x", nil}}
	require.Equal(t, "x", row.Value("a"))
	require.Nil(t, row.Value("b"))
	require.Nil(t, row.Value("c"), "the row is too short")
	require.Nil(t, row.Value("A"))
	require.Nil(t, (*batch.Row)(nil).Value("a"))
}

func TestTheRowOfARequestComesBackInItsResult(t *testing.T) {
	request := &batch.Request{ID: "a", Row: &batch.Row{Columns: []batch.Column{{Name: "n"}}, Values: []any{"x"}}}
	item := &batch.Item{Request: request}
	item.Settle(&batch.Result{Success: true})
	require.Same(t, request.Row, item.Result.Row)

	data, err := json.Marshal(item.Result)
	require.NoError(t, err)
	require.Contains(t, string(data), `"row":{"n":"x"}`)
	var read batch.Result
	require.NoError(t, json.Unmarshal(data, &read))
	require.Equal(t, request.Row, read.Row)

	data, err = json.Marshal(request)
	require.NoError(t, err)
	var again batch.Request
	require.NoError(t, json.Unmarshal(data, &again))
	require.Equal(t, request.Row, again.Row)
}

func TestATypeOfColumnsHasAName(t *testing.T) {
	for want, of := range map[string]batch.ColumnType{
		"text": batch.TextColumn, "int": batch.IntColumn, "float": batch.FloatColumn, "bool": batch.BoolColumn,
		"time": batch.TimeColumn, "bytes": batch.BytesColumn, "vector": batch.VectorColumn, "json": batch.JSONColumn,
		"ColumnType(8)": batch.JSONColumn + 1, "ColumnType(-1)": -1,
	} {
		require.Equal(t, want, of.String())
	}
}

// FuzzRow says that any object is a row which is written as it was read, and that cells of it are made or refused.
func FuzzRow(f *testing.F) {
	for _, data := range []string{
		`{"a":1,"b":"x","c":[1,{"d":null}],"e":1e400,"f":true,"":-0}`, `{"a":"2026-01-02T03:04:05Z","b":"+w=="}`, `{}`, `[]`, `{"a":1,"a":2}`,
	} {
		f.Add([]byte(data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var row batch.Row
		if json.Unmarshal(data, &row) != nil {
			return
		}
		written, err := json.Marshal(row)
		require.NoError(t, err)
		var again batch.Row
		require.NoError(t, json.Unmarshal(written, &again))
		require.Len(t, again.Columns, len(row.Columns))
		for i, value := range row.Values {
			require.Equal(t, row.Columns[i], again.Columns[i])
			for of := batch.TextColumn; of <= batch.JSONColumn; of++ {
				cell, err := batch.Cell(of, value)
				if err != nil || cell == nil {
					continue
				}
				twice, err := batch.Cell(of, cell)
				require.NoError(t, err)
				require.Equal(t, cell, twice)
			}
		}
	})
}
