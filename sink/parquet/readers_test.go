package parquet_test

import (
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/sink/parquet"
	"github.com/gluepipe/gluepipe/stages/batch"
)

const duckdbScript = `
import duckdb, sys
c = duckdb.connect()
c.execute("set timezone='UTC'")
t = "read_parquet('" + sys.argv[1] + "')"
print([r[1] for r in c.execute("describe select text, n, f, ok, moment, raw, vec, doc, embedding, success from " + t).fetchall()])
for r in c.execute("select id, text, n, f, ok, epoch_us(moment), hex(raw), vec, doc->>'a', embedding, success from " + t).fetchall():
    print(r)
`

const pyarrowScript = `
import pyarrow.parquet as pq, sys
t = pq.read_table(sys.argv[1])
print([str(t.schema.field(n).type) for n in ['text','n','f','ok','moment','raw','vec','embedding','success']])
for r in t.select(['id','text','n','ok','raw','vec','doc','embedding']).to_pylist():
    print(list(r.values()))
`

func TestDuckDBAndPyArrowReadTheSame(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.parquet")
	columns := []batch.Column{
		{Name: "text"},
		{Name: "n", Type: batch.IntColumn},
		{Name: "f", Type: batch.FloatColumn},
		{Name: "ok", Type: batch.BoolColumn},
		{Name: "moment", Type: batch.TimeColumn},
		{Name: "raw", Type: batch.BytesColumn},
		{Name: "vec", Type: batch.VectorColumn},
		{Name: "doc", Type: batch.JSONColumn},
	}
	f := open(t, path, parquet.Options{Table: newTable(t, sink.TableOptions{Row: columns, Embedding: true})})
	a, b, c := result("a"), result("b"), result("c")
	a.Row = &batch.Row{Columns: columns, Values: []any{
		"héllo", int64(-7), 0.5, true, time.UnixMicro(1704164645678901), []byte{0, 0xff}, []float32{0.5, 2}, jsonOf(`{"a":"b"}`),
	}}
	a.Embedding = []float32{1, 2}
	b.Row = &batch.Row{Columns: columns, Values: make([]any, len(columns))}
	c.Row = &batch.Row{Columns: columns, Values: []any{"", int64(0), 0.0, false, nil, []byte{}, []float32{}, jsonOf(`[]`)}}
	require.NoError(t, f.Write(t.Context(), []*batch.Result{a, b, c}))
	require.NoError(t, f.Close(t.Context()))

	t.Run("duckdb", func(t *testing.T) {
		require.Equal(t, `['VARCHAR', 'BIGINT', 'DOUBLE', 'BOOLEAN', 'TIMESTAMP WITH TIME ZONE', 'BLOB', 'FLOAT[]', 'JSON', 'FLOAT[]', 'BOOLEAN']
('a', 'héllo', -7, 0.5, True, 1704164645678901, '00FF', [0.5, 2.0], 'b', [1.0, 2.0], True)
('b', None, None, None, None, None, None, None, None, None, True)
('c', '', 0, 0.0, False, None, '', [], None, None, True)
`, python(t, "duckdb", duckdbScript, path))
	})
	t.Run("pyarrow", func(t *testing.T) {
		require.Equal(t, `['string', 'int64', 'double', 'bool', 'timestamp[us, tz=UTC]', 'binary', 'list<element: float not null>', 'list<element: float not null>', 'bool']
['a', 'héllo', -7, True, b'\x00\xff', [0.5, 2.0], '{"a":"b"}', [1.0, 2.0]]
['b', None, None, None, None, None, None, None]
['c', '', 0, False, b'', [], '[]', None]
`, python(t, "pyarrow", pyarrowScript, path))
	})
}

// python runs a script that reads the file at path with a module, where there is one.
func python(t *testing.T, module, script, path string) string {
	t.Helper()
	if err := exec.CommandContext(t.Context(), "python3", "-c", "import "+module).Run(); err != nil {
		t.Skip("no python3 with " + module + " here")
	}
	cmd := exec.CommandContext(t.Context(), "python3", "-c", script, path)
	cmd.Env = append(cmd.Environ(), "PYTHONIOENCODING=utf-8")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}
