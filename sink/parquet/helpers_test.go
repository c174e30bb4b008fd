package parquet_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	pq "github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/sink/parquet"
	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newTable(t testing.TB, options sink.TableOptions) *sink.Table {
	t.Helper()
	table, err := sink.NewTable(options)
	require.NoError(t, err)
	return table
}

func open(t *testing.T, path string, options parquet.Options) *parquet.File {
	t.Helper()
	if options.Table == nil {
		options.Table = newTable(t, sink.TableOptions{})
	}
	f, err := parquet.Open(path, options)
	require.NoError(t, err)
	return f
}

// result returns the result of a request: a failed one where its id begins with f.
func result(id string) *batch.Result {
	r := &batch.Result{ID: id, Success: true, Response: "re " + id, Fingerprint: "v1:" + id, Attempts: 1}
	if strings.HasPrefix(id, "f") {
		r.Response = ""
		r.SetError(batch.ErrServer.Errorf("status 500"))
	}
	return r
}

func write(t *testing.T, f *parquet.File, ids ...string) {
	t.Helper()
	for _, id := range ids {
		require.NoError(t, f.Write(t.Context(), []*batch.Result{result(id)}))
	}
}

// run writes results as a run of its own does.
func run(t *testing.T, path string, ids ...string) {
	t.Helper()
	f := open(t, path, parquet.Options{})
	write(t, f, ids...)
	require.NoError(t, f.Close(t.Context()))
	requireNothingBeside(t, path)
}

func requireNothingBeside(t *testing.T, path string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	require.NoError(t, err)
	require.Equal(t, []string{path}, names)
}

// rowsOf reads the rows of a file: its values by the names of their columns.
func rowsOf(t *testing.T, path string) []map[string]any {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	info, err := file.Stat()
	require.NoError(t, err)
	opened, err := pq.OpenFile(file, info.Size())
	require.NoError(t, err)
	all := []map[string]any{}
	for _, group := range opened.RowGroups() {
		rows := group.Rows()
		for {
			batch := make([]pq.Row, 10)
			n, err := rows.ReadRows(batch)
			for _, row := range batch[:n] {
				all = append(all, valuesOf(opened, row))
			}
			if err != nil || n == 0 {
				break
			}
		}
		require.NoError(t, rows.Close())
	}
	require.Len(t, all, int(opened.NumRows()))
	return all
}

func valuesOf(file *pq.File, row pq.Row) map[string]any {
	values := make(map[string]any)
	for _, v := range row {
		leaf := file.Schema().Columns()[v.Column()]
		name := leaf[0]
		switch {
		case len(leaf) > 1 && v.IsNull() && v.DefinitionLevel() == 1:
			values[name] = []float32{}
		case v.IsNull():
			values[name] = nil
		case len(leaf) > 1:
			list, _ := values[name].([]float32)
			values[name] = append(list, v.Float())
		case v.Kind() == pq.Boolean:
			values[name] = v.Boolean()
		case v.Kind() == pq.Int64:
			values[name] = v.Int64()
		case v.Kind() == pq.Double:
			values[name] = v.Double()
		default:
			values[name] = string(v.ByteArray())
		}
	}
	return values
}

func idsOf(t *testing.T, path string) string {
	t.Helper()
	var ids []string
	for _, row := range rowsOf(t, path) {
		ids = append(ids, fmt.Sprint(row["id"]))
	}
	return strings.Join(ids, " ")
}

// resultsOf reads back what a file keeps of results.
func resultsOf(t *testing.T, path string, table *sink.Table) []*batch.Result {
	t.Helper()
	var all []*batch.Result
	for _, row := range rowsOf(t, path) {
		var record []any
		for _, column := range table.RecordColumns() {
			record = append(record, row[column.Name])
		}
		r, err := sink.ReadRecord(record)
		require.NoError(t, err)
		r.Response, _ = row["response"].(string)
		r.Error, _ = row["error"].(string)
		r.Model, _ = row["model"].(string)
		r.FinishReason, _ = row["finish_reason"].(string)
		r.Index, r.Attempts, r.ToolCallsMade = row["index"].(int64), int(row["attempts"].(int64)), int(row["tool_calls_made"].(int64))
		if metadata, ok := row["metadata"].(string); ok {
			dec := json.NewDecoder(strings.NewReader(metadata))
			dec.UseNumber()
			require.NoError(t, dec.Decode(&r.Metadata))
		}
		all = append(all, r)
	}
	return all
}

func columnNames(t *testing.T, path string) []string {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	info, err := file.Stat()
	require.NoError(t, err)
	opened, err := pq.OpenFile(file, info.Size())
	require.NoError(t, err)
	var names []string
	for _, column := range opened.Root().Columns() {
		names = append(names, column.Name())
	}
	return slices.Clip(names)
}

func pick(row map[string]any, columns []batch.Column) []any {
	values := make([]any, len(columns))
	for i, column := range columns {
		values[i] = row[column.Name]
	}
	return values
}

func jsonOf(text string) json.RawMessage { return json.RawMessage(text) }
