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

// batchOutputs are files of the Batch API's shape, ours and others', and what is none.
func batchOutputs(tb testing.TB) []string {
	tb.Helper()
	outputs := []string{
		"", "\n\r\n", "Dear diary", "null\n",
		`{"custom_id":"a","response":null,"error":"no"}` + "\r\n\n" + ` {"error":null,"response":{"status_code":200},"custom_id":"b"}`,
		`{"custom_id":"a","response":{"status_code":"200","body":[]},"error":[]}` + "\n",
		`{"custom_id":"a","response":7,"error":{"code":7}}` + "\n",
		`{"custom_id":"\ud800","response":{"status_code":1e99,"body":{"error":"x","usage":{"prompt_tokens":1e99,"cost":"NaN"}}}}`,
		`{"id":"batch_req_v1_0","custom_id":"a","response":{"status_code":200,"status_code":500,"body":{}},"response":null}`,
		string(linesOf(tb, success("a", 0))),
	}
	for _, name := range []string{"openai_output.jsonl", "openai_errors.jsonl", "vllm_output.jsonl"} {
		output := readFile(tb, filepath.Join("testdata", name))
		outputs = append(outputs, output, output[:len(output)-40])
	}
	ours := batchLinesOf(tb, success("a", 0), failure("b\"\\\n", 1))
	for cut := len(ours) / 2; cut <= len(ours); cut += 9 {
		outputs = append(outputs, ours[:cut], ours[:cut]+"\x00\x00")
	}
	return outputs
}

// FuzzContinuedBatchFilesKeepTheirRecords says what holds of a file with any content: it is refused and stays as it is, or
// its records stay, byte for byte, and new ones come behind them.
func FuzzContinuedBatchFilesKeepTheirRecords(f *testing.F) {
	for _, content := range batchOutputs(f) {
		f.Add([]byte(content))
	}
	path := filepath.Join(f.TempDir(), "output.jsonl")
	added := batchLinesOf(f, success("last", 9))
	f.Fuzz(func(t *testing.T, content []byte) {
		require.NoError(t, os.WriteFile(path, content, 0o600))
		records, readErr := sink.ReadBatchRecords(path)
		file, err := sink.OpenBatch(path, sink.FileOptions{Sync: sink.SyncNever})
		require.Equal(t, readErr == nil, err == nil, "%v, and yet %v", readErr, err)
		if err != nil {
			require.Contains(t, err.Error(), path)
			require.Equal(t, string(content), readFile(t, path), "a file that is refused is left as it is")
			return
		}
		earlier := file.Earlier()
		require.Equal(t, records.Earlier(), earlier)
		require.Equal(t, earlier.TotalRequests, earlier.SuccessfulRequests+earlier.FailedRequests)
		recovered := file.Recovered()
		want := string(content[:len(content)-int(recovered.DroppedBytes)])
		require.NotContains(t, string(content[len(want):]), "\n", "no more than the last line is cut")
		if recovered.CompletedLine {
			want += "\n"
		}
		require.NoError(t, file.Write(t.Context(), []*batch.Result{success("last", 9)}))
		require.NoError(t, file.Close(t.Context()))
		require.Equal(t, want+added, readFile(t, path))
		again, err := sink.OpenBatch(path, sink.FileOptions{Sync: sink.SyncNever})
		require.NoError(t, err)
		require.NoError(t, again.Close(t.Context()))
		require.Equal(t, earlier.TotalRequests+1, again.Earlier().TotalRequests)
		require.Equal(t, want+added, readFile(t, path), "there is nothing left to mend")
	})
}

// FuzzRerunFailedOfBatchFilesKeepsSuccesses says that the successes stay, in their order, and the failures go.
func FuzzRerunFailedOfBatchFilesKeepsSuccesses(f *testing.F) {
	for _, content := range batchOutputs(f) {
		f.Add([]byte(content))
	}
	path := filepath.Join(f.TempDir(), "output.jsonl")
	f.Fuzz(func(t *testing.T, content []byte) {
		require.NoError(t, os.WriteFile(path, content, 0o600))
		before, readErr := sink.ReadBatchRecords(path)
		file, err := sink.OpenBatch(path, sink.FileOptions{Sync: sink.SyncNever, RerunFailed: true})
		require.Equal(t, readErr == nil, err == nil, "%v, and yet %v", readErr, err)
		requireNothingBeside(t, path)
		if err != nil {
			require.Equal(t, string(content), readFile(t, path), "a file that is refused is left as it is")
			return
		}
		require.NoError(t, file.Close(t.Context()))
		require.Equal(t, before.Earlier().SuccessfulRequests, file.Earlier().TotalRequests)
		require.Equal(t, before.Earlier().FailedRequests, file.Recovered().RemovedFailed)
		rest := string(content)
		for line := range strings.Lines(readFile(t, path)) {
			_, behind, ok := strings.Cut(rest, strings.TrimSpace(line))
			require.True(t, ok, "%q is not of the file", line)
			rest = behind
		}
	})
}
