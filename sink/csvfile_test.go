package sink_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/stages/batch"
)

func writeCSV(tb testing.TB, content string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "results.csv")
	require.NoError(tb, os.WriteFile(path, []byte(content), 0o600))
	return path
}

// twoLines is a success whose row goes over lines and has quotes.
func twoLines(id string, index int64) *batch.Result {
	r := fingerprinted(success(id, index))
	r.Response = "One \"line\",\n\nand\r\nanother\n"
	return r
}

func TestACSVFileIsContinued(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.csv")
	first := openCSV(t, path, sink.CSVOptions{})
	require.Zero(t, first.Earlier())
	require.NoError(t, first.Write(t.Context(), []*batch.Result{twoLines("a", 0), fingerprinted(failure("b", 1))}))
	require.NoError(t, first.Close(t.Context()))

	second := openCSV(t, path, sink.CSVOptions{})
	require.Zero(t, second.Recovered())
	require.Equal(t, batch.Summary{
		TotalRequests: 2, SuccessfulRequests: 1, FailedRequests: 1, FailedByType: map[batch.ErrorKind]int{batch.ErrServer: 1},
		TotalElapsedTime: 500 * time.Millisecond, TotalTokensUsed: &batch.TokenUsage{Prompt: 1, Completion: 2, Total: 3},
	}, second.Earlier())
	for id, want := range map[string]bool{"a": true, "b": true, "c": false} {
		done, err := second.Done(id, batch.FingerprintRecord([]byte(id)))
		require.NoError(t, err)
		require.Equal(t, want, done, id)
	}
	_, err := second.Done("a", "v1:changed")
	require.ErrorContains(t, err, "its fingerprint was "+batch.FingerprintRecord([]byte("a"))+" and is v1:changed")
	require.NoError(t, second.Write(t.Context(), []*batch.Result{success("c", 2)}))
	require.NoError(t, second.Close(t.Context()))
	require.Equal(t, csvOf(t, nil, 0, twoLines("a", 0), fingerprinted(failure("b", 1)), success("c", 2)), readFile(t, path))

	records, err := sink.ReadCSVRecords(path, 0)
	require.NoError(t, err)
	require.Equal(t, 3, records.Earlier().TotalRequests)
}

func TestACSVFileIsContinuedByItsOwnColumnsNotTheRows(t *testing.T) {
	table := newTable(t, sink.TableOptions{Row: []batch.Column{{Name: "id"}, {Name: "Success"}, {Name: "gluepipe_fingerprint"}}})
	r := fingerprinted(success("a", 0))
	r.Row = &batch.Row{Columns: table.Columns()[:3], Values: []any{"row", "no", "none"}}
	path := writeCSV(t, csvOf(t, table, '\t', r))
	opened := openCSV(t, path, sink.CSVOptions{Table: table, Comma: '\t'})
	read, err := sink.ReadCSVRecords(path, '\t')
	require.NoError(t, err)
	for _, records := range []interface {
		Done(id, fingerprint string) (bool, error)
	}{opened, read} {
		done, err := records.Done("a", r.Fingerprint)
		require.NoError(t, err)
		require.True(t, done)
		done, err = records.Done("row", "")
		require.NoError(t, err)
		require.False(t, done)
	}
}

// A process can die at any byte of a write.
func TestACSVThatBreaksOffAnywhereIsCutToItsWholeRowsAndContinued(t *testing.T) {
	results := []*batch.Result{
		twoLines("a", 0), fingerprinted(failure("b", 1)), twoLines(`c"`+"\n", 2),
	}
	table := newTable(t, sink.TableOptions{Row: []batch.Column{{Name: "a \"quoted\"\nname"}, {Name: "b"}}})
	for _, r := range results {
		r.Row = &batch.Row{Columns: table.Columns()[:2], Values: []any{`"`, "\n"}}
	}
	var ends []int // of the header and of each row
	for n := range len(results) + 1 {
		ends = append(ends, len(csvOf(t, table, 0, results[:n]...)))
	}
	whole := csvOf(t, table, 0, results...)
	path := filepath.Join(t.TempDir(), "results.csv")
	for zeros, step := range map[string]int{"": 1, "\x00\x00\x00": 7} { // a loss of power may leave zeros
		for cut := 0; cut <= len(whole); cut += step {
			require.NoError(t, os.WriteFile(path, []byte(whole[:cut]+zeros), 0o600))
			kept, bare := -1, false // the last of ends that stays
			for i, end := range ends {
				if cut >= end-1 {
					kept, bare = i, cut == end-1
				}
			}
			read, readErr := sink.ReadCSVRecords(path, 0)
			f, err := sink.OpenCSV(path, sink.CSVOptions{Table: table, FileOptions: sink.FileOptions{Sync: sink.SyncNever}})
			require.NoError(t, err, "cut at %d", cut)
			require.Equal(t, max(0, kept), f.Earlier().TotalRequests, "cut at %d", cut)
			if kept >= 0 {
				require.NoError(t, readErr)
				require.Equal(t, f.Earlier(), read.Earlier())
			}
			dropped := cut + len(zeros)
			if kept >= 0 {
				dropped -= ends[kept]
			}
			if bare {
				dropped++
			}
			require.Equal(t, sink.Recovery{DroppedBytes: int64(dropped), CompletedLine: bare}, f.Recovered(), "cut at %d", cut)
			for i, r := range results {
				done, err := f.Done(r.ID, r.Fingerprint)
				require.NoError(t, err)
				require.Equal(t, i < kept, done)
			}
			require.NoError(t, f.Write(t.Context(), results[max(0, kept):]))
			require.NoError(t, f.Close(t.Context()))
			require.Equal(t, whole, readFile(t, path), "cut at %d", cut)
		}
	}
}

func TestALastCSVRowWithoutNewlineAndFingerprintIsDoneAgain(t *testing.T) {
	whole := csvOf(t, nil, 0, success("a", 0))
	f := openCSV(t, writeCSV(t, strings.TrimSuffix(whole, "\n")), sink.CSVOptions{})
	require.Zero(t, f.Earlier().TotalRequests)
	require.Positive(t, f.Recovered().DroppedBytes)
}

func TestFailedRowsAreTakenOutOfACSV(t *testing.T) {
	path := writeCSV(t, "\uFEFF"+strings.TrimSuffix(csvOf(t, nil, 0, twoLines("a", 0), fingerprinted(failure("b", 1)), twoLines("c", 2),
		failure("d", 3), fingerprinted(success("e", 4))), "\n"))
	f := openCSV(t, path, sink.CSVOptions{FileOptions: sink.FileOptions{RerunFailed: true}})
	require.Equal(t, sink.Recovery{RemovedFailed: 2, CompletedLine: true}, f.Recovered())
	require.Equal(t, 3, f.Earlier().TotalRequests)
	require.NoError(t, f.Write(t.Context(), []*batch.Result{success("b", 1)}))
	require.NoError(t, f.Close(t.Context()))
	require.Equal(t, csvOf(t, nil, 0, twoLines("a", 0), twoLines("c", 2), fingerprinted(success("e", 4)), success("b", 1)),
		readFile(t, path))
	requireNothingBeside(t, path)
}

func TestACSVFileIsOverwrittenWhereThatIsAsked(t *testing.T) {
	path := writeCSV(t, "some,other\ntable,here\n")
	f := openCSV(t, path, sink.CSVOptions{FileOptions: sink.FileOptions{Overwrite: true}})
	require.NoError(t, f.Close(t.Context()))
	require.Equal(t, csvOf(t, nil, 0), readFile(t, path))
}

func TestACSVFileThatWasSavedByAnotherProgramIsContinued(t *testing.T) {
	content := csvOf(t, nil, 0, fingerprinted(success("a", 0)), fingerprinted(failure("b", 1)))
	content = "\uFEFF" + strings.ReplaceAll(strings.ReplaceAll(content, "Answer to a", `"Answer to a"`), "\n", "\r\n") + "\r\n\n"
	path := writeCSV(t, content)
	f := openCSV(t, path, sink.CSVOptions{})
	require.Equal(t, 2, f.Earlier().TotalRequests)
	require.Zero(t, f.Recovered())
	require.NoError(t, f.Write(t.Context(), []*batch.Result{success("c", 2)}))
	require.Equal(t, []string{"a", "b", "c"}, column(parseCSV(t, readFile(t, path), ','), "id"))
}

func TestACompressedCSVFileIsContinued(t *testing.T) {
	for _, name := range []string{"results.csv.gz", "results.csv.zst"} {
		path := filepath.Join(t.TempDir(), name)
		for i, id := range []string{"a", "b", "c"} {
			f := openCSV(t, path, sink.CSVOptions{})
			require.Equal(t, i, f.Earlier().TotalRequests)
			require.NoError(t, f.Write(t.Context(), []*batch.Result{twoLines(id, int64(i))}))
			require.NoError(t, f.Close(t.Context()))
		}
		records, err := sink.ReadCSVRecords(path, 0)
		require.NoError(t, err)
		require.Equal(t, 3, records.Earlier().TotalRequests)
	}
}
