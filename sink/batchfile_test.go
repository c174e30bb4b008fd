package sink_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/stages/batch"
)

func openBatch(tb testing.TB, path string, options sink.FileOptions) *sink.File {
	tb.Helper()
	f, err := sink.OpenBatch(path, options)
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = f.Close(context.Background()) })
	return f
}

func TestABatchFileIsContinuedByIDAndFingerprint(t *testing.T) {
	path := filepath.Join(t.TempDir(), "output.jsonl")
	first := openBatch(t, path, sink.FileOptions{})
	bad := answered(failed(batch.ErrRateLimit.Errorf("status 429")), 429, `{"error":{"message":"slow down"}}`)
	bad.ID = "bad"
	require.NoError(t, first.Write(t.Context(), []*batch.Result{answered(success("good", 0), 200, chat), bad}))
	require.NoError(t, first.Close(t.Context()))

	second := openBatch(t, path, sink.FileOptions{})
	require.Zero(t, second.Recovered())
	require.Equal(t, batch.Summary{
		TotalRequests: 2, SuccessfulRequests: 1, FailedRequests: 1, FailedByType: map[batch.ErrorKind]int{batch.ErrRateLimit: 1},
		TotalTokensUsed: &batch.TokenUsage{Total: 3},
	}, second.Earlier())
	for id, want := range map[string]bool{"good": true, "bad": true, "new": false} {
		done, err := second.Done(id, fingerprint)
		require.NoError(t, err)
		require.Equal(t, want, done, id)
	}
	_, err := second.Done("bad", "v1:ffeeddccbbaa99887766554433221100")
	var changed *sink.ChangedError
	require.ErrorAs(t, err, &changed)
	require.Equal(t, fingerprint, changed.Earlier)
	require.True(t, changed.Failed)
}

func TestATornBatchFileLosesNoWholeRecordAndCanBeContinued(t *testing.T) {
	results := []*batch.Result{
		answered(success("a", 0), 200, "{}"), failed(batch.ErrAPITimeout.Errorf("slow")), answered(success(`quo"te\ü`, 2), 200, "{}"),
	}
	bare := success("bare", 3)
	bare.Fingerprint = ""
	results = append(results, bare)
	data := batchLinesOf(t, results...)
	path := filepath.Join(t.TempDir(), "output.jsonl")
	for cut := range len(data) + 1 {
		for _, zeros := range []int{0, 3} {
			require.NoError(t, os.WriteFile(path, []byte(data[:cut]+strings.Repeat("\x00", zeros)), 0o600))
			whole := strings.Count(data[:cut], "\n")
			if zeros == 0 && cut < len(data) && data[cut] == '\n' {
				whole++ // it lacks only its newline
			}
			f, err := sink.OpenBatch(path, sink.FileOptions{Sync: sink.SyncNever})
			require.NoError(t, err, "cut at %d: %q", cut, data[:cut])
			require.Equal(t, whole, f.Earlier().TotalRequests, "cut at %d", cut)
			require.NoError(t, f.Write(t.Context(), results[whole:]))
			require.NoError(t, f.Close(t.Context()))
			require.Equal(t, data, readFile(t, path), "cut at %d", cut)
		}
	}
}

func TestAnyResultComesBackFromItsBatchLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "output.jsonl")
	rapid.Check(t, func(rt *rapid.T) {
		r := &batch.Result{ID: rapid.String().Draw(rt, "id"), Response: rapid.String().Draw(rt, "response")}
		r.Fingerprint = rapid.SampledFrom([]string{"", "v1:", "v1:12ab", "v22:0f", "v1:ü", fingerprint}).Draw(rt, "fingerprint")
		if r.Success = rapid.Bool().Draw(rt, "success"); !r.Success {
			r.SetError(batch.ErrServer.Errorf("%s", rapid.String().Draw(rt, "error")))
		}
		if rapid.Bool().Draw(rt, "raw") {
			r.Raw = &batch.RawAnswer{
				Status: rapid.SampledFrom([]int{0, 200, 204, 302, 400, 500}).Draw(rt, "status"),
				Body:   rapid.OneOf(rapid.SliceOf(rapid.Byte()), rapid.Just([]byte("{\n}"))).Draw(rt, "body"),
			}
		}
		line := batchLinesOf(t, r)
		require.Equal(rt, 1, strings.Count(line, "\n"))
		require.NoError(rt, os.WriteFile(path, []byte(line), 0o600))
		records, err := sink.ReadBatchRecords(path)
		require.NoError(rt, err)
		require.Equal(rt, r.Success, records.Earlier().SuccessfulRequests == 1, line)
		done, err := records.Done(strings.ToValidUTF8(r.ID, "\uFFFD"), r.Fingerprint)
		require.NoError(rt, err)
		require.True(rt, done)
	})
}

func TestASplitKeepsBatchErrorsInTheSameShape(t *testing.T) {
	dir := t.TempDir()
	good := openBatch(t, filepath.Join(dir, "good.jsonl"), sink.FileOptions{})
	bad := openBatch(t, filepath.Join(dir, "bad.jsonl"), sink.FileOptions{})
	s := sink.Split(good, bad)
	results := []*batch.Result{success("a", 0), failure("b", 1), success("c", 2)}
	require.NoError(t, s.Write(t.Context(), results))
	require.NoError(t, s.Close(t.Context()))
	require.Equal(t, batchLinesOf(t, success("a", 0), success("c", 2)), readFile(t, good.Path()))
	require.Equal(t, batchLinesOf(t, failure("b", 1)), readFile(t, bad.Path()))
	again := sink.Split(openBatch(t, good.Path(), sink.FileOptions{}), openBatch(t, bad.Path(), sink.FileOptions{RerunFailed: true}))
	for id, want := range map[string]bool{"a": true, "b": false, "c": true} {
		done, err := again.Done(id, "")
		require.NoError(t, err)
		require.Equal(t, want, done)
	}
	require.Equal(t, 2, again.Earlier().TotalRequests)
}

func TestAResponseIsNotMadeOfBatchFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "output.jsonl")
	f := openBatch(t, path, sink.FileOptions{})
	_, err := sink.Response(path+".response", sink.ResponseOptions{From: []*sink.File{f}})
	require.EqualError(t, err, "response "+path+".response: "+path+" doesn't have all of each result: want a file of JSON Lines")
	requireNothingBeside(t, path)
}

func TestABatchFileTakesLessThan64BytesARecordToContinue(t *testing.T) {
	const n = 50_000
	path := filepath.Join(t.TempDir(), "output.jsonl")
	file, err := os.Create(path)
	require.NoError(t, err)
	for i := range n {
		_, err := fmt.Fprintf(file, `{"id":"batch_req_v1_%032x","custom_id":"request-%d","response":{"status_code":200,"body":{}}}`+"\n", i, i)
		require.NoError(t, err)
	}
	require.NoError(t, file.Close())
	used := func() int64 {
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return int64(stats.HeapAlloc)
	}
	before := used()
	f := openBatch(t, path, sink.FileOptions{})
	grown := used() - before
	require.Equal(t, n, f.Earlier().TotalRequests)
	require.Less(t, grown, int64(64*n))
}
