package sink_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/stages/batch"
)

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
