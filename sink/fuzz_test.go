package sink_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// recordsOnDisk are files of results as runs leave them, and as they leave none.
var recordsOnDisk = []string{
	"",
	"\n\r\n",
	`{"id":"a","index":0,"success":true}` + "\n" + `{"id":"b","index":1,"success":false,"error_type":"ServerError"}` + "\n",
	`{"id":"a","index":0,"success":false}` + "\r\n\n" + ` {"success":true,"index":0,"id":"a"} ` + "\n",
	`{"id":"a","index":0,"success":true}`, // lacks only its newline
	`{"id":"a","index":0,"success":true}` + "\n" + `{"id":"b","index":1,"succ`,
	`{"id":"a","index":0,"success":true}` + "\n" + `{"id":"b\`,
	`{"id":"a","index":0,"success":true}` + "\n\x00\x00\x00",
	`{"id":"a","index":0,"success":true,"tokens_used":{"total":1e3}}` + "\n" + `{"index":1}` + "\n",
	`{"id":"\ud800","index":9223372036854775807,"success":true,"elapsed_time":1e308,"cost_usd":-1}` + "\n",
	`[{"id":"a","index":0,"success":true}]`,
	"id,success\na,true\n",
	"\uFEFF" + `{"id":"a","index":0,"success":true}` + "\n",
}

// torn are places where a record may break off, after a whole one.
func torn(add func([]byte)) {
	whole, err := success("b\"\\\n", 1).AppendJSON(nil)
	if err != nil {
		panic(err)
	}
	for cut := 0; cut < len(whole); cut += 7 {
		add(append([]byte(`{"id":"a","index":0,"success":true}`+"\n"), whole[:cut]...))
	}
}

// FuzzContinuedFilesKeepTheirRecords says what holds of a file with any content that a run is told to write to: it is
// refused and stays as it is, or its records stay, byte for byte, and new ones come behind them.
func FuzzContinuedFilesKeepTheirRecords(f *testing.F) {
	for _, content := range recordsOnDisk {
		f.Add([]byte(content))
	}
	torn(func(content []byte) { f.Add(content) })
	path := filepath.Join(f.TempDir(), "results.jsonl")
	added, err := success("last", 9).AppendJSON(nil)
	require.NoError(f, err)
	added = append(added, '\n')
	f.Fuzz(func(t *testing.T, content []byte) {
		require.NoError(t, os.WriteFile(path, content, 0o600))
		records, readErr := sink.ReadRecords(path)
		require.Equal(t, string(content), readFile(t, path), "reading changes nothing")

		file, err := sink.OpenJSONL(path, sink.FileOptions{Sync: sink.SyncNever})
		require.Equal(t, readErr == nil, err == nil, "%v, and yet %v", readErr, err)
		if err != nil {
			require.Contains(t, err.Error(), path)
			require.Equal(t, string(content), readFile(t, path), "a file that is refused is left as it is")
			return
		}
		require.Equal(t, records.Earlier(), file.Earlier())
		recovered := file.Recovered()
		kept, torn := content[:len(content)-int(recovered.DroppedBytes)], content[len(content)-int(recovered.DroppedBytes):]
		require.NotContains(t, string(torn), "\n", "no more than the last line is cut")
		if len(torn) > 0 && len(kept) > 0 {
			require.Equal(t, byte('\n'), kept[len(kept)-1], "it is cut to a whole record")
		}
		want := string(kept)
		if recovered.CompletedLine {
			want += "\n"
		}
		require.Equal(t, want, readFile(t, path))

		require.NoError(t, file.Write(t.Context(), []*batch.Result{success("last", 9)}))
		require.NoError(t, file.Close(t.Context()))
		want += string(added)
		require.Equal(t, want, readFile(t, path))
		for range 2 {
			again, err := sink.OpenJSONL(path, sink.FileOptions{Sync: sink.SyncNever})
			require.NoError(t, err)
			require.NoError(t, again.Close(t.Context()))
			require.Equal(t, file.Earlier().TotalRequests+1, again.Earlier().TotalRequests)
			require.Zero(t, again.Recovered().DroppedBytes)
			require.False(t, again.Recovered().CompletedLine)
			require.Equal(t, want, readFile(t, path), "there is nothing left to mend")
		}
	})
}

// FuzzRerunFailedKeepsSuccesses says that the successes stay, in their order, and the failures go.
func FuzzRerunFailedKeepsSuccesses(f *testing.F) {
	for _, content := range recordsOnDisk {
		f.Add([]byte(content))
	}
	dir := f.TempDir()
	path := filepath.Join(dir, "results.jsonl")
	f.Fuzz(func(t *testing.T, content []byte) {
		require.NoError(t, os.WriteFile(path, content, 0o600))
		before, readErr := sink.ReadRecords(path)
		file, err := sink.OpenJSONL(path, sink.FileOptions{Sync: sink.SyncNever, RerunFailed: true})
		require.Equal(t, readErr == nil, err == nil, "%v, and yet %v", readErr, err)
		entries, dirErr := os.ReadDir(dir)
		require.NoError(t, dirErr)
		require.Len(t, entries, 1, "nothing is left beside the file")
		if err != nil {
			require.Equal(t, string(content), readFile(t, path), "a file that is refused is left as it is")
			return
		}
		require.NoError(t, file.Close(t.Context()))
		require.Equal(t, before.Earlier().SuccessfulRequests, file.Earlier().TotalRequests)
		require.Equal(t, before.Earlier().FailedRequests, file.Recovered().RemovedFailed)
		require.Zero(t, file.Earlier().FailedRequests)
		rest := content
		for line := range bytes.Lines([]byte(readFile(t, path))) {
			at := bytes.Index(rest, bytes.TrimSpace(line))
			require.GreaterOrEqual(t, at, 0, "%q is not of the file", line)
			rest = rest[at+len(bytes.TrimSpace(line)):]
		}
		require.False(t, strings.HasSuffix(readFile(t, path), "}"), "the last line has its end")
	})
}
