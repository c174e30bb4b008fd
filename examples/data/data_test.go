// Package data_test runs the example files as the command line would.
package data_test

import (
	"bytes"
	"cmp"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/pipeline"
	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/tool"
)

// run returns the results in the order of the lines.
func run(t *testing.T, path string, tools ...batch.Tool) []*batch.Result {
	t.Helper()
	processor, err := pipeline.NewBatchProcessor(&pipeline.Config{Model: "mock:echo", Tools: tools})
	require.NoError(t, err)
	defer processor.Close()
	requests, err := source.OpenJSONL(path)
	require.NoError(t, err)
	var results []*batch.Result
	for result, err := range processor.Stream(t.Context(), requests) {
		require.NoError(t, err)
		if result.Request != nil {
			require.Empty(t, result.Request.Extra, "%s: fields that are not part of a request", result.ID)
		}
		results = append(results, result)
	}
	slices.SortFunc(results, func(a, b *batch.Result) int { return cmp.Compare(a.Index, b.Index) })
	return results
}

func TestEveryRequestOfTheMainFileSucceeds(t *testing.T) {
	results := run(t, "requests.jsonl")
	require.Len(t, results, 12)
	for _, r := range results {
		require.True(t, r.Success, "%s: %s", r.ID, r.Error)
	}
	require.Equal(t, "line-12", results[11].ID)
}

func TestTheToolRequestsCallTheToolsTheyName(t *testing.T) {
	results := run(t, "tools.jsonl", tool.Builtins()...)
	for _, r := range results {
		require.True(t, r.Success, "%s: %s", r.ID, r.Error)
	}
	require.Equal(t, []string{"multiply", "invoice", "clock", "both", "show-calls", "no-tools"}, ids(results))
	require.Equal(t, "56088", results[0].Response)
	require.Equal(t, "331.245", results[1].Response)
	require.Equal(t, "7", results[3].ToolExecutionHistory[0].Result)
	require.Len(t, results[4].ToolCalls, 1)
	require.Zero(t, results[4].ToolCallsMade)
	require.Zero(t, results[5].ToolCallsMade)
}

func TestEachBrokenLineFailsByItselfAndSaysWhy(t *testing.T) {
	results := run(t, "broken.jsonl")
	require.Equal(t, []string{
		"first", "second", "no-message", "line-5", "line-6", "line-7", "third", "line-9", "last",
	}, ids(results))
	errs := map[string]string{}
	for _, r := range results {
		if !r.Success {
			require.Equal(t, batch.ErrInvalidRequest, r.ErrorType)
			errs[r.ID] = r.Error
		}
	}
	require.Equal(t, map[string]string{
		"no-message": `line 4: field "user_message" is missing`,
		"line-5":     `line 5: field "timeout": want a number of seconds, got "soon"`,
		"line-6":     `line 6: duplicate id "second"`,
		"line-7":     `line 7, column 66: unexpected end of JSON input`,
	}, errs)
}

func TestTheBrokenFileKeepsItsByteOrderMarkAndLineEnds(t *testing.T) {
	data, err := os.ReadFile("broken.jsonl")
	require.NoError(t, err)
	require.True(t, bytes.HasPrefix(data, []byte("\uFEFF{")))
	require.Equal(t, 4, bytes.Count(data, []byte("\r\n")))
	require.False(t, bytes.HasSuffix(data, []byte("\n")))
}

func ids(results []*batch.Result) []string {
	ids := make([]string, len(results))
	for i, r := range results {
		ids[i] = r.ID
	}
	return ids
}
