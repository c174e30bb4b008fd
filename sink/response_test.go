package sink_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/sink/sinktest"
	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestResponseConforms(t *testing.T) {
	sinktest.Run(t, sinktest.Harness{
		Open: func(t *testing.T) (batch.Sink, func() []*batch.Result) {
			t.Helper()
			path := filepath.Join(t.TempDir(), "response.json")
			return newResponse(t, path), func() []*batch.Result {
				requireNothingBeside(t, path)
				return readResponse(t, path).Results
			}
		},
		ByIndex: true,
		Broken: func(t *testing.T) (batch.Sink, string) {
			t.Helper()
			if _, err := os.Stat("/dev/full"); err != nil {
				t.Skip("no /dev/full here")
			}
			t.Setenv("TMPDIR", t.TempDir()) // the results that are kept
			return newResponse(t, "/dev/full"), "writing response /dev/full: write /dev/full: no space left on device"
		},
	})
}

func TestResponseIsWhatTheBatchPackageReads(t *testing.T) {
	path := filepath.Join(t.TempDir(), "response.json")
	s := newResponse(t, path)
	s.Totals = sink.ResponseTotals{WallTime: 2 * time.Second, TotalRequests: 5}
	require.NoError(t, s.Write(t.Context(), []*batch.Result{success("c", 2), failure("b", 1)}))
	require.NoError(t, s.Write(t.Context(), []*batch.Result{success("a", 0)}))
	_, err := os.Stat(path)
	require.ErrorIs(t, err, os.ErrNotExist, "there is no response before Close")
	require.NoError(t, s.Close(t.Context()))

	response := readResponse(t, path)
	require.Equal(t, []string{"a", "b", "c"}, ids(response.Results))
	require.Equal(t, batch.Summary{
		TotalRequests: 5, SuccessfulRequests: 2, FailedRequests: 1, FailedByType: map[batch.ErrorKind]int{batch.ErrServer: 1},
		TotalElapsedTime: time.Second, WallTime: 2 * time.Second, TotalTokensUsed: &batch.TokenUsage{Prompt: 2, Completion: 4, Total: 6},
	}, response.Summary)
}

func TestResponseMeasuresItsWallTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "response.json")
	require.NoError(t, newResponse(t, path).Close(t.Context()))
	response := readResponse(t, path)
	require.Positive(t, response.WallTime)
	require.Zero(t, response.TotalRequests)
	require.NotNil(t, response.Results, "an empty list, not null")
}

func TestResponseReplacesAFileAsAWholeAndKeepsItsMode(t *testing.T) {
	path := writeFile(t, "an earlier response")
	require.NoError(t, os.Chmod(path, 0o640))
	s := newResponse(t, path)
	require.NoError(t, s.Write(t.Context(), []*batch.Result{success("a", 0)}))
	require.Equal(t, "an earlier response", readFile(t, path))
	require.NoError(t, s.Close(t.Context()))
	require.Len(t, readResponse(t, path).Results, 1)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o640), info.Mode())
}

func TestAResponseThatCannotBeWrittenKeepsTheResults(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "response.json")
	s := newResponse(t, path)
	require.NoError(t, s.Write(t.Context(), []*batch.Result{success("a", 0)}))
	require.NoError(t, os.MkdirAll(filepath.Join(path, "in the way"), 0o700))
	err := s.Close(t.Context())
	require.ErrorContains(t, err, "writing response "+path)
	_, kept, found := strings.Cut(err.Error(), "; the results are kept in ")
	require.True(t, found, err)
	require.Equal(t, []string{"a"}, ids(readLines(t, kept)))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 2, "the results and what is in the way, no other temporary file")
}

func TestResponseRefusesWhatItCannotWriteBeforeTheRun(t *testing.T) {
	dir := t.TempDir()
	_, err := sink.Response(dir, sink.ResponseOptions{})
	require.EqualError(t, err, dir+" is a directory: want a file")
	_, err = sink.Response(filepath.Join(dir, "no", "response.json"), sink.ResponseOptions{})
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestWriteResponseOrdersRecordsOfSeveralRuns(t *testing.T) {
	const n = 3000
	var records []*batch.Result
	for i, index := range rand.Perm(n) {
		r := success(fmt.Sprintf("r%d", index), int64(index))
		if i%100 == 0 {
			r.Response = strings.Repeat("long ", 100_000) // more than a read buffer
		}
		if i%7 == 0 {
			r = failure(r.ID, r.Index)
		}
		records = append(records, r)
	}
	path := filepath.Join(t.TempDir(), "response.json")
	recordsPath := writeFile(t, string(linesOf(t, records...))+"\r\n\n"+`{"id":"torn`)
	require.NoError(t, sink.WriteResponse(path, recordsPath, sink.ResponseTotals{}))

	response := readResponse(t, path)
	require.Len(t, response.Results, n)
	var want batch.Summary
	want.TotalRequests = n
	for _, r := range records {
		want.Add(r)
	}
	require.Equal(t, want, response.Summary)
	written := make([]*batch.Result, n)
	for _, r := range records {
		written[r.Index] = r
	}
	require.Equal(t, string(linesOf(t, written...)), string(linesOf(t, response.Results...)))
}

func TestWriteResponseTakesALastRecordWithoutItsNewline(t *testing.T) {
	for _, size := range []int{10, 100_000, 256 << 10, 1 << 20} {
		r := success("a", 0)
		r.Response = strings.Repeat("a", size)
		recordsPath := writeFile(t, strings.TrimSuffix(string(linesOf(t, success("b", 1), r)), "\n"))
		path := filepath.Join(t.TempDir(), "response.json")
		require.NoError(t, sink.WriteResponse(path, recordsPath, sink.ResponseTotals{}))
		require.Equal(t, []string{"a", "b"}, ids(readResponse(t, path).Results))
	}
}

func TestWriteResponseLeavesEverythingAsItWasWhenItFails(t *testing.T) {
	foreign := writeFile(t, "Dear diary\n")
	path := writeFile(t, "an earlier response")
	err := sink.WriteResponse(path, foreign, sink.ResponseTotals{})
	require.ErrorContains(t, err, "writing response "+path+": "+foreign+": line 1: not a result record")
	require.Equal(t, "an earlier response", readFile(t, path))
	requireNothingBeside(t, path)

	records := writeRecords(t, success("a", 0))
	before := readFile(t, records)
	err = sink.WriteResponse(records, records, sink.ResponseTotals{})
	require.ErrorContains(t, err, "the response can't replace its records")
	require.Equal(t, before, readFile(t, records))

	require.ErrorIs(t, sink.WriteResponse(path, "no/such.jsonl", sink.ResponseTotals{}), os.ErrNotExist)
}

func newResponse(tb testing.TB, path string) *sink.ResponseFile {
	tb.Helper()
	s, err := sink.Response(path, sink.ResponseOptions{})
	require.NoError(tb, err)
	tb.Cleanup(s.Discard)
	return s
}

func readResponse(tb testing.TB, path string) *batch.Response {
	tb.Helper()
	response := &batch.Response{}
	require.NoError(tb, json.Unmarshal([]byte(readFile(tb, path)), response))
	return response
}
