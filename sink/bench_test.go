package sink_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/stages/batch"
)

func typical(index int64) *batch.Result {
	r := success(fmt.Sprintf("request-%d", index), index)
	r.Response = strings.Repeat("The capital of France is Paris. ", 10)
	r.Model, r.FinishReason, r.Fingerprint = "gpt-4o-mini", "stop", fmt.Sprintf("v1:%032x", index)
	r.Metadata = map[string]any{"category": "geography", "row": json.Number("123456")}
	return r
}

func BenchmarkJSONL(b *testing.B) {
	file, err := sink.OpenJSONL(filepath.Join(b.TempDir(), "results.jsonl"), sink.FileOptions{})
	require.NoError(b, err)
	defer func() { _ = file.Close(b.Context()) }()
	for _, c := range []struct {
		name string
		sink batch.Sink
	}{{"writer", sink.JSONL(io.Discard)}, {"file", file}} {
		for _, size := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/batch=%d", c.name, size), func(b *testing.B) {
				results := make([]*batch.Result, size)
				for i := range results {
					results[i] = typical(int64(i))
				}
				b.ReportAllocs()
				for i := 0; i < b.N; i += size { // an operation is a record
					if err := c.sink.Write(b.Context(), results); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkOpenJSONL100kRecords(b *testing.B) {
	path := recordsFile(b, 100_000)
	b.ReportAllocs()
	for b.Loop() {
		f, err := sink.OpenJSONL(path, sink.FileOptions{})
		if err != nil || f.Earlier().TotalRequests != 100_000 {
			b.Fatal(err)
		}
		_ = f.Close(b.Context())
	}
}

func BenchmarkOpenBatch100kRecords(b *testing.B) {
	path := filepath.Join(b.TempDir(), "output.jsonl")
	file, err := os.Create(path)
	require.NoError(b, err)
	written := sink.Batch(file)
	for i := range int64(100_000) {
		require.NoError(b, written.Write(b.Context(), []*batch.Result{typical(i)}))
	}
	require.NoError(b, file.Close())
	b.ReportAllocs()
	for b.Loop() {
		f, err := sink.OpenBatch(path, sink.FileOptions{})
		if err != nil || f.Earlier().TotalRequests != 100_000 {
			b.Fatal(err)
		}
		_ = f.Close(b.Context())
	}
}

func BenchmarkBatch(b *testing.B) {
	const body = `{"id":"chatcmpl-1","object":"chat.completion","created":1740756688,"model":"gpt-4o-mini","choices":[{"index":0,` +
		`"message":{"role":"assistant","content":"The capital of France is Paris."},"finish_reason":"stop"}]}`
	s, results := sink.Batch(io.Discard), []*batch.Result{answered(typical(1), 200, body)}
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Write(b.Context(), results); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDone(b *testing.B) {
	f := open(b, recordsFile(b, 100_000), sink.FileOptions{})
	id, fingerprint := "request-5000", fmt.Sprintf("v1:%032x", 5000)
	b.ReportAllocs()
	for b.Loop() {
		if done, err := f.Done(id, fingerprint); !done || err != nil {
			b.Fatal(done, err)
		}
	}
}

func BenchmarkWriteResponse100kRecords(b *testing.B) {
	records := recordsFile(b, 100_000)
	path := filepath.Join(b.TempDir(), "response.json")
	b.ReportAllocs()
	for b.Loop() {
		if err := sink.WriteResponse(path, records, sink.ResponseTotals{}); err != nil {
			b.Fatal(err)
		}
	}
}

func recordsFile(b *testing.B, n int) string {
	b.Helper()
	var data bytes.Buffer
	for i := range n {
		data.Write(linesOf(b, typical(int64(i))))
	}
	path := filepath.Join(b.TempDir(), "results.jsonl")
	require.NoError(b, os.WriteFile(path, data.Bytes(), 0o600))
	return path
}
