package source_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/source/sourcetest"
	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestSampleConforms(t *testing.T) {
	sourcetest.Run(t, func(t *testing.T, requests []batch.Request) batch.Source {
		t.Helper()
		rows, err := source.Sample(t.Context(), source.Objects(bytes.NewReader(linesOf(t, requests)), source.ObjectsOptions{}), 10)
		require.NoError(t, err)
		return objectRequests{withoutNull{rows}}
	})
}

func TestASampleTellsTheColumnsOfTheRows(t *testing.T) {
	rows := sample(t, 5,
		`{"id":1,"stars":4,"nothing":null,"late":null}`,
		`{"id":2,"stars":4.50,"tags":["a"],"mixed":1}`,
		`oops`,
		`{"id":3,"mixed":"x","late":true,"stars":null}`,
		`{"text":"a","id":4}`,
		`{"id":5,"object":{}}`,
		`{"stars":2,"text":"b"}`,
		`{"mixed":[1],"tags":5,"nothing":7,"stars":1e3,"id":7.0,"other":null}`,
	)
	require.Equal(t, []batch.Column{
		{Name: "id", Type: batch.IntColumn},
		{Name: "stars", Type: batch.FloatColumn},
		{Name: "nothing", Type: batch.JSONColumn},
		{Name: "late", Type: batch.BoolColumn},
		{Name: "tags", Type: batch.JSONColumn},
		{Name: "mixed", Type: batch.JSONColumn},
		{Name: "text", Type: batch.TextColumn},
		{Name: "object", Type: batch.JSONColumn},
	}, rows.Columns())
	for _, want := range []struct {
		number int
		values []any
	}{
		{1, []any{int64(1), json.Number("4"), nil, nil, nil, nil, nil, nil}},
		{2, []any{int64(2), json.Number("4.50"), nil, nil, json.RawMessage(`["a"]`), json.RawMessage("1"), nil, nil}},
		{3, nil},
		{4, []any{int64(3), nil, nil, true, nil, json.RawMessage(`"x"`), nil, nil}},
		{5, []any{int64(4), nil, nil, nil, nil, nil, "a", nil}},
		{6, []any{int64(5), nil, nil, nil, nil, nil, nil, json.RawMessage("{}")}},
		{7, []any{nil, json.Number("2"), nil, nil, nil, nil, "b", nil}},
		{8, []any{int64(7), json.Number("1e3"), json.RawMessage("7"), nil, json.RawMessage("5"), json.RawMessage("[1]"), nil, nil}},
	} {
		row, err := rows.Next(t.Context())
		if want.values == nil {
			bad, ok := errors.AsType[*source.RowError](err)
			require.True(t, ok)
			require.Equal(t, want.number, bad.Number)
			require.Equal(t, "oops", string(bad.Raw))
			continue
		}
		require.NoError(t, err)
		require.Equal(t, want.number, row.Number)
		require.Equal(t, want.values, row.Values)
		require.Equal(t, rows.Columns(), row.Columns)
	}
	_, err := rows.Next(t.Context())
	require.Equal(t, io.EOF, err)
}

func TestALaterRowThatDoesNotFitTheSampleIsToldAbout(t *testing.T) {
	for line, want := range map[string]string{
		`{"stars":"many"}`:     `line 3: column "stars": want a whole number, as in the rows before, got "many"`,
		`{"stars":"5"}`:        `line 3: column "stars": want a whole number, as in the rows before, got "5"`,
		`{"stars":4.5}`:        `line 3: column "stars": want a whole number, as in the rows before, got 4.5`,
		`{"stars":[1]}`:        `line 3: column "stars": want a whole number, as in the rows before, got [1]`,
		`{"text":5}`:           `line 3: column "text": want a text, as in the rows before, got 5`,
		`{"text":true}`:        `line 3: column "text": want a text, as in the rows before, got true`,
		`{"good":0}`:           `line 3: column "good": want true or false, as in the rows before, got 0`,
		`{"price":"1"}`:        `line 3: column "price": want a number, as in the rows before, got "1"`,
		`{"id":"y","other":1}`: `line 3: column "other" isn't in the rows before: the columns are stars, text, good, price, id`,
		`{"stars":"` + strings.Repeat("ü", 100) + `"}`: strings.Repeat("ü", 30) + `..."`,
	} {
		rows := sample(t, 2, `{"stars":1,"text":"a","good":true,"price":0.5}`, `{"id":"x"}`, line, `{"stars":9}`)
		all := allRows(t, rows)
		require.Len(t, all, 4)
		require.Contains(t, all[2], want)
		require.Contains(t, all[3], "4: 9|")
	}
}

func TestASampleReadsNoFurtherThanItMust(t *testing.T) {
	text := &counted{Reader: strings.NewReader(strings.Repeat(`{"a":"`+strings.Repeat("x", 1<<20)+`"}`+"\n", 64))}
	rows, err := source.Sample(t.Context(), source.Objects(text, source.ObjectsOptions{}), 0)
	require.NoError(t, err)
	require.Less(t, text.n, 10<<20)
	row, err := rows.Next(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, row.Number)

	known := openCSV(t, "a,b\n1,2\n")
	same, err := source.Sample(t.Context(), known, 10)
	require.NoError(t, err)
	require.Same(t, known, same)
}

func TestASampleWithoutRowsHasNoColumns(t *testing.T) {
	rows := sample(t, 10)
	require.Nil(t, rows.Columns())
	require.Empty(t, allRows(t, rows))
}

func TestAnErrorBehindTheSampledRowsComesBehindThem(t *testing.T) {
	broken := errors.New("connection reset")
	rows, err := source.Sample(t.Context(), source.Objects(
		io.MultiReader(strings.NewReader(`{"a":1}`+"\n"), iotest.ErrReader(broken)), source.ObjectsOptions{}), 10)
	require.NoError(t, err)
	_, err = rows.Next(t.Context())
	require.NoError(t, err)
	for range 2 {
		_, err = rows.Next(t.Context())
		require.EqualError(t, err, "reading line 2: connection reset")
	}
	_, err = source.Sample(t.Context(), source.Objects(iotest.ErrReader(broken), source.ObjectsOptions{}), 10)
	require.EqualError(t, err, "reading line 1: connection reset")

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = source.Sample(ended, source.Objects(strings.NewReader("{}\n"), source.ObjectsOptions{}), 10)
	require.ErrorIs(t, err, context.Canceled)
}

func sample(tb testing.TB, n int, lines ...string) source.RowReader {
	tb.Helper()
	objects := source.Objects(strings.NewReader(strings.Join(lines, "\n")), source.ObjectsOptions{})
	rows, err := source.Sample(tb.Context(), objects, n)
	require.NoError(tb, err)
	return rows
}

// withoutNull leaves out the values that rows don't have.
type withoutNull struct{ source.RowReader }

func (r withoutNull) Next(ctx context.Context) (source.TableRow, error) {
	row, err := r.RowReader.Next(ctx)
	if err != nil {
		return row, err
	}
	rest := &batch.Row{}
	for i, v := range row.Values {
		if v != nil {
			rest.Columns, rest.Values = append(rest.Columns, row.Columns[i]), append(rest.Values, v)
		}
	}
	row.Row = rest
	return row, nil
}

type counted struct {
	io.Reader
	n int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += n
	return n, err
}

func ExampleSample() {
	rows, err := source.Sample(context.Background(), source.Objects(strings.NewReader(`{"id": 1, "stars": 4}
{"id": 2, "stars": 4.5, "tags": ["new"]}
`), source.ObjectsOptions{}), 100)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = rows.Close() }()
	for _, column := range rows.Columns() {
		fmt.Println(column.Name, column.Type)
	}
	// Output:
	// id int
	// stars float
	// tags json
}
