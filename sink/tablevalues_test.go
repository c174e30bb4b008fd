package sink_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestAnAnswerThatIsPaidForIsNeverLost(t *testing.T) {
	table := newTable(t, sink.TableOptions{Answer: []batch.Column{
		{Name: "mood"},
		{Name: "score", Type: batch.IntColumn},
		{Name: "sure", Type: batch.BoolColumn},
		{Name: "tags", Type: batch.JSONColumn},
	}})
	for _, c := range []struct {
		name, structured string
		want             []any // the answer's
		response         any
	}{
		{"it fits", `{"mood":"good","score":3,"sure":true,"tags":["a"]}`, []any{"good", int64(3), true, json.RawMessage(`["a"]`)}, nil},
		{"it has nulls and lacks fields", `{"mood":null,"sure":false}`, []any{nil, nil, false, nil}, nil},
		{"a field doesn't fit", `{"mood":"good","score":"high"}`, []any{"good", nil, nil, nil}, "as it came"},
		{"a text is something else", `{"mood":{"a":1},"score":3}`, []any{`{"a":1}`, int64(3), nil, nil}, "as it came"},
		{"a field has no column", `{"mood":"good","other":1}`, []any{"good", nil, nil, nil}, "as it came"},
		{"it is no object", `[1]`, []any{nil, nil, nil, nil}, "as it came"},
		{"it is null", `null`, []any{nil, nil, nil, nil}, "as it came"},
		{"there is none", ``, []any{nil, nil, nil, nil}, "as it came"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := success("a", 0)
			r.Response = "as it came"
			if c.structured != "" {
				r.StructuredOutput = json.RawMessage(c.structured)
			}
			values, err := table.AppendValues(nil, r)
			require.NoError(t, err)
			require.Equal(t, c.want, values[:4])
			require.Equal(t, c.response, values[4])
		})
	}
	t.Run("it breaks the schema", func(t *testing.T) {
		r := &batch.Result{ID: "a", Response: `{"mood":`}
		r.SetError(batch.ErrStructuredOutput.Errorf("unexpected end"))
		values, err := table.AppendValues(nil, r)
		require.NoError(t, err)
		require.Equal(t, []any{nil, nil, nil, nil, `{"mood":`}, values[:5])
	})
}

func TestTheRowComesOutAgainAsItWentIn(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	columns := []batch.Column{
		{Name: "text"},
		{Name: "int", Type: batch.IntColumn},
		{Name: "float", Type: batch.FloatColumn},
		{Name: "bool", Type: batch.BoolColumn},
		{Name: "time", Type: batch.TimeColumn},
		{Name: "bytes", Type: batch.BytesColumn},
		{Name: "vector", Type: batch.VectorColumn},
		{Name: "json", Type: batch.JSONColumn},
		{Name: "null", Type: batch.IntColumn},
	}
	values := []any{"a", int64(1), 1.5, true, at, []byte{0xff}, []float32{1, 2}, json.RawMessage(`{"a":1}`), nil}
	table := newTable(t, sink.TableOptions{Row: columns})
	r := success("a", 0)
	r.Row = &batch.Row{Columns: columns, Values: values}
	got, err := table.AppendValues(nil, r)
	require.NoError(t, err)
	require.Equal(t, values, got[:len(values)])

	t.Run("after it was JSON too", func(t *testing.T) {
		data, err := r.AppendJSON(nil)
		require.NoError(t, err)
		var again batch.Result
		require.NoError(t, json.Unmarshal(data, &again))
		values[2] = json.Number("1.5")
		got, err := table.AppendValues(nil, &again)
		require.NoError(t, err)
		require.Equal(t, values, got[:len(values)])
	})
	t.Run("in whatever order its columns come", func(t *testing.T) {
		r.Row = &batch.Row{Columns: []batch.Column{columns[1], {Name: "other"}, columns[0]}, Values: []any{int64(1), "x", "a"}}
		got, err := table.AppendValues(nil, r)
		require.NoError(t, err)
		require.Equal(t, []any{"a", int64(1), nil, nil}, got[:4])
	})
	t.Run("as nulls where the record couldn't be read", func(t *testing.T) {
		got, err := table.AppendValues(nil, failure("b", 1))
		require.NoError(t, err)
		require.Equal(t, make([]any, len(values)), got[:len(values)])
	})
}

func TestAValueThatDoesNotFitItsColumnIsAnErrorThatNamesTheColumn(t *testing.T) {
	table := newTable(t, sink.TableOptions{Row: []batch.Column{{Name: "a"}, {Name: "stars", Type: batch.IntColumn}}})
	r := success("a", 0)
	r.Row = &batch.Row{Columns: []batch.Column{{Name: "a"}, {Name: "stars"}}, Values: []any{"x", "many"}}
	dst := []any{"kept"}
	got, err := table.AppendValues(dst, r)
	require.EqualError(t, err, `column "stars": want a whole number, got "many"`)
	require.Equal(t, dst, got)

	r = success("b", 1)
	r.Metadata = map[string]any{"a": make(chan int)}
	got, err = table.AppendValues(dst, r)
	require.ErrorContains(t, err, `column "metadata": `)
	require.Equal(t, dst, got)
}

func TestAnEmbeddingIsAVector(t *testing.T) {
	table := newTable(t, sink.TableOptions{Embedding: true})
	r := success("a", 0)
	r.Embedding = []float32{0.5, -1}
	require.Equal(t, []float32{0.5, -1}, cellsOf(t, table, r)["embedding"])
	require.Nil(t, cellsOf(t, table, failure("b", 1))["embedding"])
}
