package sink

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// fullResult has every member.
func fullResult() *batch.Result {
	cost := 0.00123
	r := &batch.Result{
		ID: "über-1", Index: 7, Success: true, Response: "a \"b\"\n\t\x01 <c> \u2028 é 12345678", StructuredOutput: json.RawMessage(`{"a":[1,-2.5e3,{}]}`),
		Embedding: []float32{0.5, -1}, ToolCalls: []batch.ToolCall{{ID: "c"}}, ToolCallsMade: 1,
		ToolExecutionHistory: []batch.ToolExecution{{ToolName: "t", Arguments: json.RawMessage(`{"x":null}`), Result: "[]"}},
		TokensUsed:           &batch.TokenUsage{Prompt: 1, Completion: 2, Total: 3}, Metadata: map[string]any{"k": []any{true, false, nil}},
		ElapsedTime: 1234567 * time.Microsecond, WaitTime: time.Second, Model: "m", FinishReason: "stop", Attempts: 2,
		CostUSD: &cost, Fingerprint: "v1:0123456789abcdef",
	}
	return r
}

func failedResult() *batch.Result {
	r := fullResult()
	r.SetError(batch.ErrServer.Errorf("status \"500\""))
	return r
}

func TestALineAsItIsWrittenIsReadWithoutEncodingJSON(t *testing.T) {
	for _, r := range []*batch.Result{fullResult(), failedResult(), {ID: "a"}, {ID: "b", Success: true}} {
		line, err := r.AppendJSON(nil)
		require.NoError(t, err)
		var fast, slow record
		require.True(t, scanResult(line, &fast), "%s", line)
		require.NoError(t, decodeAnyResult(line, &slow))
		require.Equal(t, slow, fast)
		for cut := range line {
			require.False(t, scanResult(line[:cut], &fast), "%s", line[:cut])
		}
	}
}

// FuzzAResultIsReadAsEncodingJSONReadsIt says that the fast way never takes a line that encoding/json refuses, and never
// understands it otherwise.
func FuzzAResultIsReadAsEncodingJSONReadsIt(f *testing.F) {
	for _, r := range []*batch.Result{fullResult(), failedResult(), {ID: "a"}, {ID: "b", Success: true}} {
		line, err := r.AppendJSON(nil)
		require.NoError(f, err)
		f.Add(line)
		for _, edit := range []*strings.Replacer{
			strings.NewReplacer(`"id"`, `"ID"`), strings.NewReplacer(`,"index"`, `, "index"`), strings.NewReplacer(`1`, `01`),
			strings.NewReplacer(`1`, `1e2`), strings.NewReplacer(`1`, `99999999999999999999`), strings.NewReplacer(`true`, `null`),
			strings.NewReplacer("é", "\xff"), strings.NewReplacer(`\n`, `\x`), strings.NewReplacer(`"attempts"`, `"index":1,"attempts"`),
			strings.NewReplacer(`"total"`, `"prompt":9,"total"`), strings.NewReplacer(`"v1`, `"\u0000v1`), strings.NewReplacer(`[`, `[[`),
			strings.NewReplacer(`{}`, `{"a":1,"a":2}`), strings.NewReplacer(`12345678`, "1234567\x00"), strings.NewReplacer(`"m"`, `{}`),
		} {
			f.Add([]byte(edit.Replace(string(line))))
		}
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		var fast, slow record
		if !scanResult(line, &fast) {
			return
		}
		require.NoError(t, decodeAnyResult(line, &slow), "%q", line)
		require.Equal(t, slow, fast, "%q", line)
		line[len(line)/2]++ // most of what is read so is one edit away from what must not be
		if scanResult(line, &fast) {
			require.NoError(t, decodeAnyResult(line, &slow), "%q", line)
			require.Equal(t, slow, fast, "%q", line)
		}
	})
}

func BenchmarkScanResult(b *testing.B) {
	line, err := fullResult().AppendJSON(nil)
	require.NoError(b, err)
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	var r record
	for b.Loop() {
		scanResult(line, &r)
	}
}
