package sink_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestAResponseTakesTheResultsOfSeveralFiles(t *testing.T) {
	dir := t.TempDir()
	var files []*sink.File
	for name, results := range map[string][]*batch.Result{
		"good": {success("d", 3), success("a", 0)}, "none": nil, "bad": {failure("c", 2), failure("b", 1)},
	} {
		f := open(t, filepath.Join(dir, name), sink.FileOptions{})
		require.NoError(t, f.Write(t.Context(), results))
		files = append(files, f)
	}
	path := filepath.Join(dir, "response.json")
	s, err := sink.Response(path, sink.ResponseOptions{From: files})
	require.NoError(t, err)
	require.NoError(t, s.Write(t.Context(), []*batch.Result{success("ignored", 9)}))
	for _, f := range files {
		require.NoError(t, f.Close(t.Context()))
	}
	require.NoError(t, s.Close(t.Context()))
	response := readResponse(t, path)
	require.Equal(t, []string{"a", "b", "c", "d"}, ids(response.Results))
	require.Equal(t, 2, response.SuccessfulRequests)
	require.Equal(t, 2, response.FailedRequests)
}

func TestAResponseTakesTheRecordsFromWhereTheyWereKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.jsonl")
	f := open(t, path, sink.FileOptions{})
	s, err := sink.Response(path+".response", sink.ResponseOptions{From: []*sink.File{f}})
	require.NoError(t, err)
	require.NoError(t, f.Write(t.Context(), []*batch.Result{success("a", 0)}))
	require.NoError(t, os.Rename(writeFile(t, "Dear diary\n"), path))
	require.Error(t, f.Close(t.Context()))
	require.NoError(t, s.Close(t.Context()))
	require.Equal(t, []string{"a"}, ids(readResponse(t, path+".response").Results))
}

func TestTwoRunsCannotWriteTheSameResponse(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "response.json"), filepath.Join(dir, "link.json")
	first := newResponse(t, path)
	require.NoError(t, os.Symlink(path, link))
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	records := writeRecords(t, success("a", 0))
	for _, again := range []string{path, link} {
		_, err := sink.Response(again, sink.ResponseOptions{})
		require.EqualError(t, err, again+": another run is writing it: wait for its end, or choose another output")
		require.ErrorContains(t, sink.WriteResponse(again, records, sink.ResponseTotals{}), "another run is writing it")
	}
	require.NoError(t, first.Close(t.Context()))
	second := newResponse(t, path)
	second.Discard()
	require.NoError(t, second.Close(t.Context()))
	require.NoError(t, sink.WriteResponse(path, records, sink.ResponseTotals{}))
	require.Len(t, readResponse(t, path).Results, 1)
}

func TestADiscardedResponseLeavesEverythingAsItWas(t *testing.T) {
	path := writeFile(t, "an earlier response")
	newResponse(t, path).Discard()
	require.Equal(t, "an earlier response", readFile(t, path))
	requireNothingBeside(t, path)
}

func TestAResponseTakesAwayWhatAKilledRunLeft(t *testing.T) {
	path := filepath.Join(t.TempDir(), "response.json")
	for _, left := range []string{".response.tmp", ".results.tmp"} {
		require.NoError(t, os.WriteFile(path+left, []byte("half of it"), 0o400))
	}
	s := newResponse(t, path)
	require.NoError(t, s.Write(t.Context(), []*batch.Result{success("a", 0)}))
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, entries, 2, "no other names")
	require.NoError(t, s.Close(t.Context()))
	require.Equal(t, []string{"a"}, ids(readResponse(t, path).Results))
	requireNothingBeside(t, path)
}

func TestAResponseIsWrittenThoughItsTemporaryFileWasRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "response.json")
	s := newResponse(t, path)
	require.NoError(t, s.Write(t.Context(), []*batch.Result{success("a", 0)}))
	require.NoError(t, os.Remove(path+".response.tmp"))
	require.NoError(t, s.Close(t.Context()))
	require.Equal(t, []string{"a"}, ids(readResponse(t, path).Results))
}

func TestAResponseIsCreatedWithItsMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "response.json")
	s, err := sink.Response(path, sink.ResponseOptions{Mode: 0o600})
	require.NoError(t, err)
	require.NoError(t, s.Write(t.Context(), []*batch.Result{success("a", 0)}))
	for _, name := range []string{path + ".response.tmp", path + ".results.tmp"} {
		info, err := os.Stat(name)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode())
	}
	require.NoError(t, s.Close(t.Context()))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
}
