package source_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// requestRows makes the requests again that stand in the rows' column request.
type requestRows struct{ source.RowReader }

func (r requestRows) Next(ctx context.Context) (*batch.Item, error) {
	row, err := r.RowReader.Next(ctx)
	if err != nil {
		return nil, err
	}
	request := &batch.Request{}
	text := row.Value("request")
	if text == nil {
		text = row.Value("text")
	}
	if err := json.Unmarshal([]byte(text.(string)), request); err != nil {
		return nil, err
	}
	return &batch.Item{Origin: origin(row), Request: request}, nil
}

func csvOf(tb testing.TB, requests []batch.Request) string {
	tb.Helper()
	var text strings.Builder
	w := csv.NewWriter(&text)
	require.NoError(tb, w.Write([]string{"request", "more"}))
	for _, r := range requests {
		data, err := r.MarshalJSON()
		require.NoError(tb, err)
		require.NoError(tb, w.Write([]string{string(data), "x\ny"}))
	}
	w.Flush()
	return text.String()
}

func openCSV(tb testing.TB, text string) source.RowReader {
	tb.Helper()
	rows, err := source.CSV(strings.NewReader(text), source.CSVOptions{})
	require.NoError(tb, err)
	return rows
}

func columnNames(rows source.RowReader) []string {
	var names []string
	for _, c := range rows.Columns() {
		names = append(names, c.Name)
	}
	return names
}

// allRows lists rows as "2: 1|x", and bad ones by their errors.
func allRows(tb testing.TB, rows source.RowReader) []string {
	tb.Helper()
	var all []string
	for {
		row, err := rows.Next(tb.Context())
		if err == io.EOF {
			return all
		}
		if err != nil {
			_, ok := errors.AsType[*source.RowError](err)
			require.True(tb, ok, "%v", err)
			all = append(all, err.Error())
			continue
		}
		cells := make([]string, len(row.Values))
		for i, v := range row.Values {
			cells[i] = fmt.Sprint(v)
		}
		all = append(all, fmt.Sprintf("%d: %s", row.Number, strings.Join(cells, "|")))
	}
}

func origin(row source.TableRow) string { return fmt.Sprintf("%s %d", row.Unit, row.Number) }
