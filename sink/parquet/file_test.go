package parquet_test

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/sink/parquet"
	"github.com/gluepipe/gluepipe/sink/sinktest"
	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestParquetConforms(t *testing.T) {
	table := newTable(t, sink.TableOptions{})
	sinktest.Run(t, sinktest.Harness{
		Open: func(t *testing.T) (batch.Sink, func() []*batch.Result) {
			t.Helper()
			path := filepath.Join(t.TempDir(), "out.parquet")
			f := open(t, path, parquet.Options{Table: table})
			return f, func() []*batch.Result {
				if _, err := os.Stat(path); err != nil { // a Close that was cut short has left it to the next run
					run(t, path)
				}
				return resultsOf(t, path, table)
			}
		},
		Kept: func(r *batch.Result) *batch.Result {
			kept := *r
			kept.StructuredOutput, kept.ToolExecutionHistory = nil, nil
			return &kept
		},
		Broken: func(t *testing.T) (batch.Sink, string) {
			t.Helper()
			path := filepath.Join(t.TempDir(), "out.parquet")
			f := open(t, path, parquet.Options{Table: table})
			require.NoError(t, os.WriteFile(path, []byte("another"), 0o600))
			return f, path
		},
	})
}

func TestAParquetFileIsContinued(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.parquet")
	run(t, path, "a", "f1")
	f := open(t, path, parquet.Options{})
	require.Equal(t, path, f.Path())
	earlier := f.Earlier()
	require.Equal(t, 2, earlier.TotalRequests)
	require.Equal(t, 1, earlier.SuccessfulRequests)
	require.Equal(t, map[batch.ErrorKind]int{batch.ErrServer: 1}, earlier.FailedByType)
	for id, want := range map[string]bool{"a": true, "f1": true, "b": false} {
		done, err := f.Done(id, "v1:"+id)
		require.NoError(t, err)
		require.Equal(t, want, done, id)
	}
	_, err := f.Done("a", "v1:changed")
	var changed *sink.ChangedError
	require.ErrorAs(t, err, &changed)
	require.Equal(t, path, changed.Path)
	write(t, f, "b")
	require.NoError(t, f.Close(t.Context()))
	require.Equal(t, "a f1 b", idsOf(t, path))
	requireNothingBeside(t, path)
}

func TestAParquetFileWithoutNewResultsIsLeftAsItIs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.parquet")
	run(t, path, "a")
	before, err := os.Stat(path)
	require.NoError(t, err)
	run(t, path)
	after, err := os.Stat(path)
	require.NoError(t, err)
	require.True(t, os.SameFile(before, after))
	require.Equal(t, before.ModTime(), after.ModTime())
}

func TestARunWithoutResultsLeavesAParquetFileWithColumns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.parquet")
	run(t, path)
	require.Empty(t, rowsOf(t, path))
	require.Contains(t, columnNames(t, path), "response")
	run(t, path, "a")
	require.Equal(t, "a", idsOf(t, path))
}

func TestFailedRowsStayUntilTheirRequestsAreDoneAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.parquet")
	run(t, path, "f1", "a", "f2")
	f := open(t, path, parquet.Options{FileOptions: sink.FileOptions{RerunFailed: true}})
	require.Equal(t, 2, f.Recovered().RemovedFailed)
	require.Equal(t, 1, f.Earlier().TotalRequests)
	done, err := f.Done("f1", "v1:changed meanwhile")
	require.NoError(t, err)
	require.False(t, done)
	again := result("f1")
	again.ClearError()
	again.Success, again.Response = true, "at last"
	require.NoError(t, f.Write(t.Context(), []*batch.Result{again}))
	require.NoError(t, f.Close(t.Context()))
	require.Equal(t, "a f2 f1", idsOf(t, path))
	require.Equal(t, "at last", rowsOf(t, path)[2]["response"])
}

func TestOverwriteRemovesBothFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.parquet")
	run(t, path, "a")
	require.NoError(t, os.WriteFile(path+".results.jsonl", []byte(`{"id":"b","index":0,"success":true}`+"\n"), 0o600))
	f := open(t, path, parquet.Options{FileOptions: sink.FileOptions{Overwrite: true}})
	require.NoFileExists(t, path)
	require.Zero(t, f.Earlier().TotalRequests)
	write(t, f, "c")
	require.NoError(t, f.Close(t.Context()))
	require.Equal(t, "c", idsOf(t, path))
	requireNothingBeside(t, path)
}

func TestAFileThatIsNotOursIsRefusedAndLeftAsItIs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.parquet")
	require.NoError(t, os.WriteFile(path, []byte("id,text\n1,hello, you\n"), 0o600))
	_, err := parquet.Open(path, parquet.Options{Table: newTable(t, sink.TableOptions{})})
	require.ErrorContains(t, err, path+": it is no whole Parquet file: ")
	require.ErrorContains(t, err, "choose another output, or overwrite this one")
	requireNothingBeside(t, path)

	path = filepath.Join(t.TempDir(), "out.parquet")
	run(t, path, "a")
	_, err = parquet.Open(path, parquet.Options{Table: newTable(t, sink.TableOptions{
		Row: []batch.Column{{Name: "n", Type: batch.IntColumn}},
	})})
	require.EqualError(t, err, path+`: its column 1 is "response" STRING, and this run writes "n" INT(64,true); `+
		`choose another output, or overwrite this one`)
	requireNothingBeside(t, path)

	_, err = parquet.Open(t.TempDir(), parquet.Options{Table: newTable(t, sink.TableOptions{})})
	require.ErrorContains(t, err, "want a file")
	_, err = parquet.Open(path, parquet.Options{})
	require.ErrorContains(t, err, "needs a table")
}

func TestAParquetFileThatIsBeingWrittenIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.parquet")
	f := open(t, path, parquet.Options{})
	_, err := parquet.Open(path, parquet.Options{Table: newTable(t, sink.TableOptions{})})
	require.ErrorContains(t, err, "another run is writing it")
	require.NoError(t, f.Close(t.Context()))
}

func TestAResultThatDoesNotFitTheTableIsRefusedAndTheRestWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.parquet")
	columns := []batch.Column{{Name: "n", Type: batch.IntColumn}}
	f := open(t, path, parquet.Options{Table: newTable(t, sink.TableOptions{Row: columns})})
	of := func(id string, n any) *batch.Result {
		r := result(id)
		r.Row = &batch.Row{Columns: columns, Values: []any{n}}
		return r
	}
	a, b, c := of("a", int64(1)), of("b", "soon"), of("c", int64(3))
	given := []*batch.Result{a, b, c}
	err := f.Write(t.Context(), given)
	require.EqualError(t, err, `writing `+path+`: result "b": column "n": want a whole number, got "soon"`)
	var partial *sink.PartialError
	require.ErrorAs(t, err, &partial)
	require.Equal(t, []*batch.Result{a, c}, partial.Written)
	require.Equal(t, []*batch.Result{a, b, c}, given)
	require.NoError(t, f.Close(t.Context()))
	require.Equal(t, "a c", idsOf(t, path))
}

func TestAFileThatTookThePlaceMeanwhileIsNotReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.parquet")
	f := open(t, path, parquet.Options{})
	write(t, f, "a")
	require.NoError(t, os.WriteFile(path, []byte("another"), 0o600))
	err := f.Close(t.Context())
	require.EqualError(t, err, "making "+path+": another file has taken its place; the results are kept in "+
		path+".results.jsonl: run the same again to finish it")
	require.NoError(t, os.Remove(path))
	run(t, path)
	require.Equal(t, "a", idsOf(t, path))
}

func TestAllTypesOfColumnsAreWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.parquet")
	columns := []batch.Column{
		{Name: "zz", Type: batch.TextColumn},
		{Name: "int", Type: batch.IntColumn},
		{Name: "float", Type: batch.FloatColumn},
		{Name: "bool", Type: batch.BoolColumn},
		{Name: "time", Type: batch.TimeColumn},
		{Name: "bytes", Type: batch.BytesColumn},
		{Name: "vector", Type: batch.VectorColumn},
		{Name: "json", Type: batch.JSONColumn},
	}
	at := time.Date(2024, 1, 2, 3, 4, 5, 678901000, time.FixedZone("", 3600))
	table := newTable(t, sink.TableOptions{Row: columns, Embedding: true})
	for round := range 2 { // the second copies the rows of the first
		f := open(t, path, parquet.Options{Table: table})
		if round == 0 {
			full, none, empty := result("full"), result("none"), result("empty")
			full.Embedding = []float32{0.5, -1}
			full.Row = &batch.Row{Columns: columns, Values: []any{
				"x", int64(-1 << 63), 0.1, true, at, []byte{0, 0xff}, []float32{0.1, 2, 3}, []byte(`{"a":[1]}`),
			}}
			full.Row.Values[7] = jsonOf(`{"a": [1]}`)
			none.Row = &batch.Row{Columns: columns, Values: make([]any, len(columns))}
			empty.Row = &batch.Row{Columns: columns, Values: []any{"", int64(0), 0.0, false, at, []byte{}, []float32{}, jsonOf(`[]`)}}
			require.NoError(t, f.Write(t.Context(), []*batch.Result{full, none, empty}))
		} else {
			write(t, f, "more")
		}
		require.NoError(t, f.Close(t.Context()))
		rows := rowsOf(t, path)
		require.Equal(t, []string{"zz", "int", "float", "bool", "time", "bytes", "vector", "json", "embedding", "id"},
			columnNames(t, path)[:10])
		require.Equal(t, []any{"x", int64(-1 << 63), 0.1, true, at.UnixMicro(), "\x00\xff", []float32{0.1, 2, 3}, `{"a":[1]}`},
			pick(rows[0], columns))
		require.Equal(t, []float32{0.5, -1}, rows[0]["embedding"])
		require.Equal(t, make([]any, len(columns)), pick(rows[1], columns))
		require.Equal(t, []any{"", int64(0), 0.0, false, at.UnixMicro(), "", []float32{}, `[]`}, pick(rows[2], columns))
	}
	require.Equal(t, "full none empty more", idsOf(t, path))
}

func TestTimesBeyondTheYearsOfRFC3339AreKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.parquet")
	columns := []batch.Column{{Name: "at", Type: batch.TimeColumn}}
	f := open(t, path, parquet.Options{Table: newTable(t, sink.TableOptions{Row: columns})})
	var want []any
	for i, at := range []time.Time{
		time.UnixMicro(math.MaxInt64), time.Date(10000, 2, 29, 1, 2, 3, 0, time.UTC), time.Date(-44, 3, 15, 0, 0, 0, 0, time.UTC),
	} {
		r := result(strconv.Itoa(i))
		r.Row = &batch.Row{Columns: columns, Values: []any{at.UTC()}}
		require.NoError(t, f.Write(t.Context(), []*batch.Result{r}))
		want = append(want, at.UnixMicro())
	}
	require.NoError(t, f.Close(t.Context()))
	for i, row := range rowsOf(t, path) {
		require.Equal(t, want[i], row["at"])
	}
}

func TestWriteAfterTheDiskIsFullKeepsWhatTheJournalHas(t *testing.T) {
	if _, err := os.Stat("/dev/full"); errors.Is(err, os.ErrNotExist) {
		t.Skip("no /dev/full here")
	}
	path := filepath.Join(t.TempDir(), "out.parquet")
	f := open(t, path, parquet.Options{})
	write(t, f, "a", "b")
	require.NoError(t, os.Symlink("/dev/full", path+".tmp"))
	err := f.Close(t.Context())
	require.ErrorContains(t, err, "making "+path+": ")
	require.ErrorContains(t, err, "no space left on device")
	require.ErrorContains(t, err, "the results are kept in "+path+".results.jsonl: run the same again to finish it")
	require.NoFileExists(t, path)
	run(t, path, "c")
	require.Equal(t, "a b c", idsOf(t, path))
}
