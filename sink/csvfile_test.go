package sink_test

import (
	"bytes"
	"io"
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

func TestACSVFileWithOtherColumnsIsRefusedByBothHeaders(t *testing.T) {
	table := newTable(t, sink.TableOptions{Row: []batch.Column{{Name: "review"}}})
	ours := strings.TrimSuffix(csvOf(t, nil, 0), "\n")
	for _, c := range []struct {
		name, content, difference, there string
	}{
		{"a table of somebody else's", "a,b\n1,2\n", `column 1 is "a" there and "review" here`, "a,b"},
		{"results of another run", ours + "\n", `column 1 is "response" there and "review" here`, ours},
		{"a column less", "review,response,id\n", "3 columns there and 19 here", "review,response,id"},
		{"another comma", "review;response\n", `column 1 is "review;response" there and "review" here`, "review;response"},
		{"no table, nor a line", "Dear diary", `column 1 is "Dear diary" there and "review" here`, "Dear diary"},
		{"a blank line", "\n", `column 1 is "" there and "review" here`, ""},
		{
			"a long text", strings.Repeat("ü", 300) + "\n", `column 1 is "` + strings.Repeat("ü", 50) + `..." there and "review" here`,
			strings.Repeat("ü", 200) + "...",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := writeCSV(t, c.content)
			_, err := sink.OpenCSV(path, sink.CSVOptions{Table: table})
			require.EqualError(t, err, path+" has other columns than this run: "+c.difference+"; it has "+c.there+
				", this run has review,"+ours+"; choose another output, or overwrite this one")
			require.Equal(t, c.content, readFile(t, path))
		})
	}
}

func TestACSVFileThatHoldsAnythingElseIsRefusedByItsLine(t *testing.T) {
	head := csvOf(t, nil, 0)
	row := strings.TrimPrefix(csvOf(t, nil, 0, twoLines("a", 0)), head) // five lines
	other := strings.TrimPrefix(csvOf(t, nil, 0, success("b", 1)), head)
	for _, c := range []struct{ name, content, want string }{
		{"a row of another width", head + row + "1,2\n" + other, "line 7: not a result record: 2 fields instead of 18"},
		{"a row that is too wide", head + strings.Replace(other, ",", ",,", 1), "line 2: not a result record: 19 fields instead of 18"},
		{"a last row that is too wide", head + "," + strings.TrimSuffix(other, "\n"), "line 2: not a result record: 19 fields instead of 18"},
		{"an id left out", head + strings.Replace(other, ",b,", ",,", 1), "line 2: not a result record: want an id and success"},
		{"a success that is none", head + strings.Replace(other, "true", "si", 1), `line 2: not a result record: column "success": want true or false, got "si"`},
		{"a quote in the midst of a text", head + row + strings.Replace(other, "Answer", `Ans"w"er`, 1), "line 7: not a result record: field 1 has a quote in a field that isn't quoted"},
		{"text behind a quote", head + row + `"Answer" ` + other, "line 7: not a result record: field 1 has text behind the closing quote of a field"},
		{"a last row with text behind a quote", head + row + `"Answer" x`, "line 7: not a result record: field 1 has text behind the closing quote of a field"},
		{"a quote that isn't closed", head + row + `"` + other + other + other, "line 7: not a result record: field 1 has a quote that isn't closed"},
		{"a quote that isn't closed before rows of many lines", head + row + `"` + other + row + row, "line 7: not a result record: field 1 has text behind"},
		{"a quote that isn't closed and a bare row", head + `"` + other + strings.TrimSuffix(row, "\n"), "line 2: not a result record: field 1 has "},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := writeCSV(t, c.content)
			_, err := sink.OpenCSV(path, sink.CSVOptions{})
			require.ErrorContains(t, err, path+": "+c.want)
			require.ErrorContains(t, err, "; choose another output, or overwrite this one")
			require.Equal(t, c.content, readFile(t, path))
			_, err = sink.ReadCSVRecords(path, 0)
			require.ErrorContains(t, err, path+": "+c.want)
		})
	}
}

func TestATableWithoutResultsIsNoCSVOfResults(t *testing.T) {
	path := writeCSV(t, "a,b\n1,2\n")
	_, err := sink.ReadCSVRecords(path, 0)
	require.EqualError(t, err, path+": line 1: not a result record: there are no columns id and success")
	records, err := sink.ReadCSVRecords(writeCSV(t, ""), 0)
	require.NoError(t, err)
	require.Zero(t, records.Earlier())
	_, err = sink.ReadCSVRecords(filepath.Join(t.TempDir(), "none.csv"), 0)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestAQuoteThatIsNeverClosedDoesNotFillTheMemory(t *testing.T) {
	path := writeCSV(t, csvOf(t, nil, 0, success("a", 0)))
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	require.NoError(t, err)
	_, err = io.Copy(file, io.MultiReader(strings.NewReader(`"`), io.LimitReader(lineAfterLine{}, 66<<20)))
	require.NoError(t, err)
	require.NoError(t, file.Close())
	_, err = sink.OpenCSV(path, sink.CSVOptions{})
	require.EqualError(t, err, path+": line 3: not a result record: a row of more than 64 MiB, or a quote that isn't closed; "+
		"choose another output, or overwrite this one")
}

type lineAfterLine struct{}

func (lineAfterLine) Read(p []byte) (int, error) {
	return copy(p, bytes.Repeat([]byte("some text, and no quote\n"), 1+len(p)/24)), nil
}

// FuzzContinuedCSVFilesKeepTheirRows says what holds of a file with any content behind any header: it is refused and stays as
// it is, or its rows stay, byte for byte, and new ones come behind them, and another reader of CSV finds them.
func FuzzContinuedCSVFilesKeepTheirRows(f *testing.F) {
	results := []*batch.Result{twoLines("a", 0), fingerprinted(failure("b", 1)), success("c", 2)}
	whole := csvOf(f, nil, 0, results...)
	for cut := 0; cut <= len(whole); cut += 13 {
		f.Add([]byte(whole[:cut]))
	}
	for _, content := range []string{
		"\uFEFF" + strings.ReplaceAll(whole, "\n", "\r\n"), strings.Replace(whole, `""`, `"`, 1), whole + "\n\r\n", whole + "\x00\x00",
		whole + `"` + whole, strings.ReplaceAll(whole, ",", "\t"), "a,b\n1,2\n", "\n", `"`, `{"id":"a","index":0,"success":true}`,
		strings.Replace(whole, "a,true", ",true", 1), strings.Replace(whole, "a,true", `"",true`, 1),
	} {
		f.Add([]byte(content))
	}
	path := filepath.Join(f.TempDir(), "results.csv")
	added := strings.TrimPrefix(csvOf(f, nil, 0, twoLines("last", 9)), csvOf(f, nil, 0))
	f.Fuzz(func(t *testing.T, content []byte) {
		require.NoError(t, os.WriteFile(path, content, 0o600))
		records, readErr := sink.ReadCSVRecords(path, 0)
		require.Equal(t, string(content), readFile(t, path), "reading changes nothing")

		file, err := sink.OpenCSV(path, sink.CSVOptions{FileOptions: sink.FileOptions{Sync: sink.SyncNever}})
		if err != nil {
			require.Contains(t, err.Error(), path)
			require.Equal(t, string(content), readFile(t, path), "a file that is refused is left as it is")
			return
		}
		if readErr == nil {
			require.Equal(t, records.Earlier(), file.Earlier())
		}
		recovered := file.Recovered()
		want := string(content[:len(content)-int(recovered.DroppedBytes)])
		if recovered.CompletedLine {
			want += "\n"
		}
		if want == "" {
			want = csvOf(t, nil, 0)
		}
		require.Equal(t, want, readFile(t, path))

		require.NoError(t, file.Write(t.Context(), []*batch.Result{twoLines("last", 9)}))
		require.NoError(t, file.Close(t.Context()))
		want += added
		require.Equal(t, want, readFile(t, path))
		require.Len(t, parseCSV(t, want, ','), file.Earlier().TotalRequests+1)
		again, err := sink.OpenCSV(path, sink.CSVOptions{FileOptions: sink.FileOptions{Sync: sink.SyncNever}})
		require.NoError(t, err)
		require.NoError(t, again.Close(t.Context()))
		require.Equal(t, file.Earlier().TotalRequests+1, again.Earlier().TotalRequests)
		require.Zero(t, again.Recovered().DroppedBytes)
		require.False(t, again.Recovered().CompletedLine)
		require.Equal(t, want, readFile(t, path), "there is nothing left to mend")
	})
}
