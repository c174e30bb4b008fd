package sink_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// fixture copies a file of testdata to a place where it can be continued.
func fixture(tb testing.TB, name string) string {
	tb.Helper()
	return writeFile(tb, readFile(tb, filepath.Join("testdata", name)))
}

func TestFilesOfOpenAIAndVLLMAreContinued(t *testing.T) {
	for name, c := range map[string]struct {
		good, bad []string
		want      batch.Summary
	}{
		"openai_output.jsonl": {
			[]string{"request-1", "request-2"},
			nil,
			batch.Summary{
				TotalRequests: 2, SuccessfulRequests: 2, TotalTokensUsed: &batch.TokenUsage{Prompt: 28, Completion: 10, Total: 38},
			},
		},
		"openai_errors.jsonl": {
			nil,
			[]string{"request-3", "request-4"},
			batch.Summary{
				TotalRequests: 2, FailedRequests: 2,
				FailedByType: map[batch.ErrorKind]int{batch.ErrTokenLimit: 1, batch.ErrServer: 1},
			},
		},
		"vllm_output.jsonl": {
			[]string{"request-1"},
			[]string{"request-2", "request-3"},
			batch.Summary{
				TotalRequests: 3, SuccessfulRequests: 1, FailedRequests: 2,
				FailedByType:    map[batch.ErrorKind]int{batch.ErrInvalidRequest: 2},
				TotalTokensUsed: &batch.TokenUsage{Prompt: 25, Completion: 31, Total: 56},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := fixture(t, name)
			before := readFile(t, path)
			f := openBatch(t, path, sink.FileOptions{})
			require.Equal(t, c.want, f.Earlier())
			require.Zero(t, f.Recovered())
			for _, id := range append(c.good, c.bad...) {
				done, err := f.Done(id, "v1:whatever")
				require.NoError(t, err, "there is no fingerprint to compare")
				require.True(t, done)
			}
			require.NoError(t, f.Write(t.Context(), []*batch.Result{success("request-9", 8)}))
			require.NoError(t, f.Close(t.Context()))
			require.Equal(t, before+batchLinesOf(t, success("request-9", 8)), readFile(t, path))

			f = openBatch(t, path, sink.FileOptions{RerunFailed: true})
			require.Equal(t, len(c.bad), f.Recovered().RemovedFailed)
			require.Equal(t, len(c.good)+1, f.Earlier().SuccessfulRequests)
			require.Zero(t, f.Earlier().FailedRequests)
			for line := range strings.Lines(readFile(t, path)) {
				require.Contains(t, before+batchLinesOf(t, success("request-9", 8)), line, "it stays byte for byte")
			}
		})
	}
}

func TestLinesOfOthersAreReadLeniently(t *testing.T) {
	const body = `{"usage":{"prompt_tokens":3}}`
	for line, success := range map[string]bool{
		`{"custom_id":"a","response":{"status_code":200,"body":` + body + `}}`:                            true,
		`{"error":null,"response":{"body":{},"status_code":200},"custom_id":"a","id":7}`:                  true,
		`{"custom_id":"a","response":{"status_code":201,"body":[]},"error":{}}`:                           true,
		`{"custom_id":"a","response":{"status_code":200,"body":"text"},"error":""}`:                       true,
		`{"custom_id":"a","response":{"status_code":200,"body":{"error":null,"usage":null}}}`:             true,
		`{"custom_id":"a","response":{"status_code":200,"body":{"usage":{"prompt_tokens":"3"}}}}`:         true,
		`{"custom_id":"a","response":{"status_code":200,"body":{"error":{"message":"no"}}},"error":null}`: false,
		`{"custom_id":"a","response":{"status_code":200,"body":{"error":"no"}},"error":null}`:             false,
		`{"custom_id":"a","response":{"status_code":200,"body":{}},"error":"no"}`:                         false,
		`{"custom_id":"a","response":{"status_code":500,"body":null},"error":null}`:                       false,
		`{"custom_id":"a","response":null,"error":{"code":"batch_expired"}}`:                              false,
		`{"custom_id":"a","response":null,"error":[{"code":"batch_expired"}]}`:                            false,
		`{"custom_id":"a","response":null,"error":null}`:                                                  false,
		`{"custom_id":"a","response":null}`:                                                               false,
		`{"custom_id":"a","error":{"code":"x"}}`:                                                          false,
		`{"custom_id":"","response":{"status_code":null,"body":{}},"error":"no"}`:                         false,
	} {
		records, err := sink.ReadBatchRecords(writeFile(t, line))
		require.NoError(t, err, line)
		require.Equal(t, 1, records.Earlier().TotalRequests, line)
		require.Equal(t, success, records.Earlier().SuccessfulRequests == 1, line)
	}
}

func TestAFileThatIsNoBatchOutputIsRefusedAndLeftAsItIs(t *testing.T) {
	whole := batchLinesOf(t, success("a", 0))
	openAI := readFile(t, filepath.Join("testdata", "openai_output.jsonl"))
	vLLM := readFile(t, filepath.Join("testdata", "vllm_output.jsonl"))
	for name, c := range map[string]struct {
		content string
		line    int
	}{
		"requests":                 {`{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{}}` + "\n", 1},
		"results of our own":       {string(linesOf(t, success("a", 0))), 1},
		"an id that is no text":    {`{"custom_id":1,"response":null}`, 1},
		"no id":                    {`{"response":{"status_code":200,"body":{}}}`, 1},
		"a text":                   {"Dear diary", 1},
		"half a line of OpenAI":    {openAI[:len(openAI)-100], 2},
		"half a line of vLLM":      {vLLM[:300], 1},
		"a broken line among ours": {whole + whole[:60] + "\n" + whole, 2},
	} {
		t.Run(name, func(t *testing.T) {
			path := writeFile(t, c.content)
			for _, options := range []sink.FileOptions{{}, {RerunFailed: true}} {
				_, err := sink.OpenBatch(path, options)
				require.ErrorContains(t, err, fmt.Sprintf("%s: line %d: not a result record", path, c.line))
				require.ErrorContains(t, err, "; choose another output, or overwrite this one")
				require.Equal(t, c.content, readFile(t, path))
				requireNothingBeside(t, path)
			}
		})
	}
	_, err := sink.OpenJSONL(fixture(t, "vllm_output.jsonl"), sink.FileOptions{})
	require.ErrorContains(t, err, "line 1: not a result record")
}
