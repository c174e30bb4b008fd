package source_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// table is a reader of rows that are there. Rows may be *batch.Row, []any of the columns, or an error.
type table struct {
	columns []batch.Column
	unknown bool // until the rows are read
	unit    string
	rows    []any
	n       int
	closed  int
}

func (t *table) Columns() []batch.Column {
	if t.unknown {
		return nil
	}
	return t.columns
}

func (t *table) Next(ctx context.Context) (source.TableRow, error) {
	if err := ctx.Err(); err != nil {
		return source.TableRow{}, err
	}
	if t.n == len(t.rows) {
		return source.TableRow{}, io.EOF
	}
	t.n++
	switch r := t.rows[t.n-1].(type) {
	case error:
		return source.TableRow{}, r
	case *batch.Row:
		return source.TableRow{Row: r, Number: t.n, Unit: t.unit}, nil
	case []any:
		return source.TableRow{Row: &batch.Row{Columns: t.columns, Values: r}, Number: t.n, Unit: t.unit}, nil
	}
	panic("no row")
}

func (t *table) Close() error {
	t.closed++
	return nil
}

// texts returns a table of texts: its header, and rows of the same length.
func texts(header string, rows ...[]any) *table {
	t := &table{unit: "line"}
	for name := range strings.SplitSeq(header, ",") {
		t.columns = append(t.columns, batch.Column{Name: name})
	}
	for _, r := range rows {
		t.rows = append(t.rows, r)
	}
	return t
}

// objects returns a table of JSON objects, whose columns aren't known beforehand.
func objects(t *testing.T, rows ...string) *table {
	t.Helper()
	all := &table{unit: "line", unknown: true}
	for _, r := range rows {
		row := &batch.Row{}
		require.NoError(t, row.UnmarshalJSON([]byte(r)))
		all.rows = append(all.rows, row)
	}
	return all
}

func mustRows(t *testing.T, rows source.RowReader, options source.RowOptions) batch.Source {
	t.Helper()
	src, err := source.Rows(rows, options)
	require.NoError(t, err)
	return src
}

// asked returns the user's message of the next row, which must be good.
func asked(t *testing.T, src batch.Source) string {
	t.Helper()
	item := next(t, src)
	if item.Result != nil {
		require.Empty(t, item.Result.Error)
	}
	return item.Request.UserMessage
}

// failure returns the error of the next row, which must be bad.
func failure(t *testing.T, src batch.Source) string {
	t.Helper()
	item := next(t, src)
	require.NotNil(t, item.Result)
	require.Nil(t, item.Request)
	require.True(t, item.Settled())
	require.ErrorIs(t, item.Result.Err, batch.ErrInvalidRequest)
	require.NotEmpty(t, item.Result.Fingerprint)
	return item.Result.Error
}
