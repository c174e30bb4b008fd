package sink_test

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/sink/sinktest"
	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestCSVConforms(t *testing.T) {
	sinktest.Run(t, sinktest.Harness{
		Kept: keptByTable,
		Open: func(t *testing.T) (batch.Sink, func() []*batch.Result) {
			t.Helper()
			var out bytes.Buffer
			return sink.CSV(&out, nil, 0), func() []*batch.Result { return resultsOf(t, out.String()) }
		},
		Broken: func(t *testing.T) (batch.Sink, string) {
			t.Helper()
			return sink.CSV(shortWriter{}, nil, 0), "writing results: short write"
		},
	})
}

func TestACSVFileConforms(t *testing.T) {
	sinktest.Run(t, sinktest.Harness{
		Kept: keptByTable,
		Open: func(t *testing.T) (batch.Sink, func() []*batch.Result) {
			t.Helper()
			path := filepath.Join(t.TempDir(), "results.csv")
			return openCSV(t, path, sink.CSVOptions{}), func() []*batch.Result { return resultsOf(t, readFile(t, path)) }
		},
	})
}

// keptByTable is what a table without a row has of a result.
func keptByTable(r *batch.Result) *batch.Result {
	kept := *r
	kept.StructuredOutput, kept.ToolExecutionHistory, kept.WaitTime = nil, nil, 0
	return &kept
}

// resultsOf reads the results of a CSV whose table has no row.
func resultsOf(t *testing.T, data string) []*batch.Result {
	t.Helper()
	var results []*batch.Result
	for _, row := range parseCSV(t, data, ',') {
		whole := func(name string) int64 {
			n, err := strconv.ParseInt(row[name], 10, 64)
			require.NoError(t, err, name)
			return n
		}
		elapsed, err := time.ParseDuration(row["elapsed_time"] + "s")
		require.NoError(t, err)
		r := &batch.Result{
			ID: row["id"], Index: whole("index"), Success: row["success"] == "true", Response: row["response"],
			Error: row["error"], ErrorType: batch.ErrorKind(row["error_type"]), ToolCallsMade: int(whole("tool_calls_made")),
			ElapsedTime: elapsed, Model: row["model"], FinishReason: row["finish_reason"], Attempts: int(whole("attempts")),
			Fingerprint: row["fingerprint"],
		}
		if row["total_tokens"] != "" {
			r.TokensUsed = &batch.TokenUsage{
				Prompt: whole("prompt_tokens"), Completion: whole("completion_tokens"), Total: whole("total_tokens"),
			}
		}
		if row["cost_usd"] != "" {
			cost, err := strconv.ParseFloat(row["cost_usd"], 64)
			require.NoError(t, err)
			r.CostUSD = &cost
		}
		if row["metadata"] != "" {
			dec := json.NewDecoder(strings.NewReader(row["metadata"]))
			dec.UseNumber()
			require.NoError(t, dec.Decode(&r.Metadata))
		}
		results = append(results, r)
	}
	return results
}
