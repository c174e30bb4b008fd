package sink_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/sink/sinktest"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// A batch line keeps no more than this.
func keptInBatchLine(r *batch.Result) *batch.Result {
	if !r.Success {
		return &batch.Result{ID: r.ID, Error: r.Error, ErrorType: r.ErrorType, Fingerprint: r.Fingerprint}
	}
	return &batch.Result{
		ID: r.ID, Success: true, Response: r.Response, Model: r.Model, FinishReason: r.FinishReason, Fingerprint: r.Fingerprint,
		TokensUsed: r.TokensUsed, CostUSD: r.CostUSD,
	}
}

// parseBatchLines requires that data is whole lines of the Batch API.
func parseBatchLines(tb testing.TB, data []byte) []*batch.Result {
	tb.Helper()
	var results []*batch.Result
	for text := range bytes.Lines(data) {
		require.Equal(tb, byte('\n'), text[len(text)-1])
		var line struct {
			ID       string `json:"id"`
			CustomID string `json:"custom_id"`
			Response *struct {
				Body struct {
					Model   string `json:"model"`
					Choices []struct {
						Message      struct{ Content string }
						FinishReason string `json:"finish_reason"`
					} `json:"choices"`
					Usage *struct {
						Prompt     int64    `json:"prompt_tokens"`
						Completion int64    `json:"completion_tokens"`
						Total      int64    `json:"total_tokens"`
						Cost       *float64 `json:"cost"`
					} `json:"usage"`
				} `json:"body"`
			} `json:"response"`
			Error *struct{ Code, Message string } `json:"error"`
		}
		require.NoError(tb, json.Unmarshal(text, &line), "%s", text)
		told := strings.Split(strings.TrimPrefix(line.ID, "batch_req_"), "_")
		r := &batch.Result{ID: line.CustomID, Fingerprint: told[0] + ":" + told[1], Success: line.Error == nil}
		if line.Error != nil {
			r.Error, r.ErrorType = line.Error.Message, batch.ErrorKind(line.Error.Code)
		} else {
			body := line.Response.Body
			r.Model, r.Response, r.FinishReason = body.Model, body.Choices[0].Message.Content, body.Choices[0].FinishReason
			if u := body.Usage; u != nil {
				r.TokensUsed, r.CostUSD = &batch.TokenUsage{Prompt: u.Prompt, Completion: u.Completion, Total: u.Total}, u.Cost
			}
		}
		results = append(results, r)
	}
	return results
}

func TestBatchConforms(t *testing.T) {
	sinktest.Run(t, sinktest.Harness{
		Open: func(t *testing.T) (batch.Sink, func() []*batch.Result) {
			t.Helper()
			var out bytes.Buffer
			return sink.Batch(&out), func() []*batch.Result { return parseBatchLines(t, out.Bytes()) }
		},
		Kept: keptInBatchLine,
		Broken: func(*testing.T) (batch.Sink, string) {
			return sink.Batch(&fullDisk{}), "writing results: disk full"
		},
	})
}

func TestBatchFileConforms(t *testing.T) {
	sinktest.Run(t, sinktest.Harness{
		Open: func(t *testing.T) (batch.Sink, func() []*batch.Result) {
			t.Helper()
			path := filepath.Join(t.TempDir(), "output.jsonl")
			return openBatch(t, path, sink.FileOptions{}), func() []*batch.Result {
				return parseBatchLines(t, []byte(readFile(t, path)))
			}
		},
		Kept: keptInBatchLine,
		Broken: func(t *testing.T) (batch.Sink, string) {
			t.Helper()
			if _, err := os.Stat("/dev/full"); err != nil {
				t.Skip("no /dev/full here")
			}
			return openBatch(t, "/dev/full", sink.FileOptions{}), "write /dev/full: no space left on device"
		},
	})
}
