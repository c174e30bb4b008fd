package sink_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/stages/batch"
)

func success(id string, index int64) *batch.Result {
	return &batch.Result{
		ID: id, Index: index, Success: true, Response: "Answer to " + id, Attempts: 1, Fingerprint: "v1:" + id,
		ElapsedTime: 500 * time.Millisecond, TokensUsed: &batch.TokenUsage{Prompt: 1, Completion: 2, Total: 3},
	}
}

func failure(id string, index int64) *batch.Result {
	r := &batch.Result{ID: id, Index: index, Attempts: 1, Fingerprint: "v1:" + id}
	r.SetError(batch.ErrServer.Errorf("status 500"))
	return r
}

func open(tb testing.TB, path string, options sink.FileOptions) *sink.File {
	tb.Helper()
	f, err := sink.OpenJSONL(path, options)
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = f.Close(context.Background()) })
	return f
}

func readLines(tb testing.TB, path string) []*batch.Result {
	tb.Helper()
	data, err := os.ReadFile(path)
	require.NoError(tb, err)
	return parseLines(tb, data)
}

// parseLines requires that data is whole lines of results.
func parseLines(tb testing.TB, data []byte) []*batch.Result {
	tb.Helper()
	if len(data) == 0 {
		return nil
	}
	require.Equal(tb, byte('\n'), data[len(data)-1])
	var results []*batch.Result
	for line := range bytes.Lines(data) {
		r := &batch.Result{}
		require.NoError(tb, json.Unmarshal(line, r), "%s", line)
		results = append(results, r)
	}
	return results
}

func ids(results []*batch.Result) []string {
	var all []string
	for _, r := range results {
		all = append(all, r.ID)
	}
	return all
}

// recorder keeps what it is given, and fails all the same if it is told to.
type recorder struct {
	results []*batch.Result
	writes  int
	closed  bool
	err     error
}

func (r *recorder) Write(_ context.Context, results []*batch.Result) error {
	r.writes++
	r.results = append(r.results, results...)
	return r.err
}

func (r *recorder) Close(context.Context) error {
	r.closed = true
	return r.err
}

// fullDisk takes so many bytes and no more.
type fullDisk struct {
	bytes.Buffer
	room int
}

func (d *fullDisk) Write(p []byte) (int, error) {
	n := min(len(p), d.room)
	d.Buffer.Write(p[:n])
	if d.room -= n; n < len(p) {
		return n, fmt.Errorf("disk full: %w", syscall.ENOSPC)
	}
	return n, nil
}

type writes []string

func (w *writes) Write(p []byte) (int, error) {
	*w = append(*w, strings.Clone(string(p)))
	return len(p), nil
}

type shortWriter struct{}

func (shortWriter) Write(p []byte) (int, error) { return len(p) - 1, nil }

func linesOf(tb testing.TB, results ...*batch.Result) []byte {
	tb.Helper()
	var lines []byte
	for _, r := range results {
		var err error
		lines, err = r.AppendJSON(lines)
		require.NoError(tb, err)
		lines = append(lines, '\n')
	}
	return lines
}

func writeRecords(tb testing.TB, results ...*batch.Result) string {
	tb.Helper()
	return writeFile(tb, string(linesOf(tb, results...)))
}

func writeFile(tb testing.TB, content string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "results.jsonl")
	require.NoError(tb, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func readFile(tb testing.TB, path string) string {
	tb.Helper()
	data, err := os.ReadFile(path)
	require.NoError(tb, err)
	return string(data)
}

func requireNothingBeside(tb testing.TB, path string) {
	tb.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(tb, err)
	require.Len(tb, entries, 1, "%v", entries)
}
