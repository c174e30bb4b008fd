package batch_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestASummaryCountsResults(t *testing.T) {
	cost := 0.25
	s := batch.Summary{TotalRequests: 4}
	s.Add(&batch.Result{
		Success: true, ElapsedTime: time.Second, TokensUsed: &batch.TokenUsage{Prompt: 1, Completion: 2, Total: 3}, CostUSD: &cost,
	})
	s.Add(&batch.Result{ErrorType: batch.ErrServer, ElapsedTime: 2 * time.Second, CostUSD: &cost})
	s.Add(&batch.Result{ErrorType: batch.ErrServer, TokensUsed: &batch.TokenUsage{Prompt: 10, Completion: 20, Total: 30}})
	s.Add(&batch.Result{ErrorType: batch.ErrCancelled})
	s.AddDropped("sampled out")
	s.AddDropped("sampled out")
	total := 0.5
	require.Equal(t, batch.Summary{
		TotalRequests: 4, SuccessfulRequests: 1, FailedRequests: 3, UnfinishedRequests: 1,
		DroppedRequests:  map[string]int{"sampled out": 2},
		FailedByType:     map[batch.ErrorKind]int{batch.ErrServer: 2, batch.ErrCancelled: 1},
		TotalElapsedTime: 3 * time.Second,
		TotalTokensUsed:  &batch.TokenUsage{Prompt: 11, Completion: 22, Total: 33},
		TotalCostUSD:     &total,
	}, s)
	require.InDelta(t, 0.25, cost, 0, "a result's cost is its own")
}

func TestMergingAddsAllButTheWallTime(t *testing.T) {
	part := func() batch.Summary {
		cost := 1.5
		return batch.Summary{
			TotalRequests: 4, SuccessfulRequests: 1, FailedRequests: 2, UnfinishedRequests: 1,
			DroppedRequests:  map[string]int{"old": 1},
			FailedByType:     map[batch.ErrorKind]int{batch.ErrServer: 1, batch.ErrCancelled: 1},
			TotalElapsedTime: time.Second, WallTime: time.Minute,
			TotalTokensUsed: &batch.TokenUsage{Prompt: 1, Completion: 2, Total: 3}, TotalCostUSD: &cost,
		}
	}
	one := part()
	var sum batch.Summary
	sum.Merge(&one)
	sum.Merge(&one)
	cost := 3.0
	require.Equal(t, batch.Summary{
		TotalRequests: 8, SuccessfulRequests: 2, FailedRequests: 4, UnfinishedRequests: 2,
		DroppedRequests:  map[string]int{"old": 2},
		FailedByType:     map[batch.ErrorKind]int{batch.ErrServer: 2, batch.ErrCancelled: 2},
		TotalElapsedTime: 2 * time.Second,
		TotalTokensUsed:  &batch.TokenUsage{Prompt: 2, Completion: 4, Total: 6}, TotalCostUSD: &cost,
	}, sum)
	require.Equal(t, part(), one, "the merged summary is left as it was")

	var empty batch.Summary
	empty.Merge(&batch.Summary{})
	require.Zero(t, empty)
}

func TestAnEmptySummaryLeavesOutWhatNobodyReported(t *testing.T) {
	require.Equal(t,
		`{"total_requests":0,"successful_requests":0,"failed_requests":0,"total_elapsed_time":0,"wall_time":0}`,
		string(encode(t, batch.Summary{})))
	require.Equal(t,
		`{"total_requests":0,"successful_requests":0,"failed_requests":0,"total_elapsed_time":0,"wall_time":0,"results":[]}`,
		string(encode(t, batch.Response{})))
}

func TestACostThatIsNoNumberIsLeftOutOfTheSummary(t *testing.T) {
	for _, cost := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		require.NotContains(t, string(encode(t, batch.Summary{TotalCostUSD: &cost})), "total_cost_usd")
	}
	for _, cost := range []float64{0, 1e-9, 1e21, 0.1} {
		var s batch.Summary
		require.NoError(t, json.Unmarshal(encode(t, batch.Summary{TotalCostUSD: &cost}), &s))
		require.InDelta(t, cost, *s.TotalCostUSD, 0)
	}
}

func TestAWrongFieldOfAResponseIsNamed(t *testing.T) {
	for input, want := range map[string]string{
		`[]`:                          `want a JSON object, got []`,
		`{"results":{}}`:              `field "results": want a list of results, got {}`,
		`{"results":[null]}`:          `field "results": result 1: want a JSON object, got null`,
		`{"total_requests":"4"}`:      `field "total_requests": want a whole number, got "4"`,
		`{"failed_by_type":{"a":""}}`: `field "failed_by_type": want an object of counts, got {"a":""}`,
		`{"dropped_requests":[]}`:     `field "dropped_requests": want an object of counts, got []`,
		`{"wall_time":"1m"}`:          `field "wall_time": want a number of seconds, got "1m"`,
		`{"total_tokens_used":1}`:     `field "total_tokens_used": want an object of token counts, got 1`,
		`{"total_cost_usd":"1"}`:      `field "total_cost_usd": want a number, got "1"`,
	} {
		var r batch.Response
		require.EqualError(t, json.Unmarshal([]byte(input), &r), want)
	}
	var s batch.Summary
	require.EqualError(t, json.Unmarshal([]byte(`{"failed_requests":[]}`), &s),
		`field "failed_requests": want a whole number, got []`)
}

func TestAResponseThatCannotBeEncodedNamesTheResult(t *testing.T) {
	r := batch.Response{Results: []*batch.Result{{ID: "a"}, {ID: "b", Metadata: map[string]any{"m": func() {}}}}}
	_, err := r.MarshalJSON()
	require.ErrorContains(t, err, `field "results": result 2: result "b": field "metadata": "m": `)
}
