package batch_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestAWrongFieldOfAResultIsNamed(t *testing.T) {
	for input, want := range map[string]string{
		`null`:                              `want a JSON object, got null`,
		`[]`:                                `want a JSON object, got []`,
		`{"id":1}`:                          `field "id": want a text, got 1`,
		`{"index":"1"}`:                     `field "index": want a whole number, got "1"`,
		`{"index":9223372036854775808}`:     `field "index": want a whole number, got 9223372036854775808`,
		`{"success":1}`:                     `field "success": want true or false, got 1`,
		`{"response":{}}`:                   `field "response": want a text, got {}`,
		`{"tool_calls":[{"id":1}]}`:         `field "tool_calls": tool call 1: field "id": want a text, got 1`,
		`{"tool_calls_made":0.5}`:           `field "tool_calls_made": want a whole number, got 0.5`,
		`{"tool_execution_history":[[]]}`:   `field "tool_execution_history": call 1: want a JSON object, got []`,
		`{"tokens_used":15}`:                `field "tokens_used": want an object of token counts, got 15`,
		`{"tokens_used":{"prompt":"many"}}`: `field "tokens_used": want an object of token counts, got {"prompt":"many"}`,
		`{"error":{}}`:                      `field "error": want a text, got {}`,
		`{"error_type":1}`:                  `field "error_type": want a text, got 1`,
		`{"metadata":[]}`:                   `field "metadata": want an object, got []`,
		`{"elapsed_time":"1s"}`:             `field "elapsed_time": want a number of seconds, got "1s"`,
		`{"wait_time":1e400}`:               `field "wait_time": want a number of seconds, got 1e400`,
		`{"model":1}`:                       `field "model": want a text, got 1`,
		`{"finish_reason":1}`:               `field "finish_reason": want a text, got 1`,
		`{"attempts":"1"}`:                  `field "attempts": want a whole number, got "1"`,
		`{"cost_usd":"free"}`:               `field "cost_usd": want a number, got "free"`,
		`{"fingerprint":1}`:                 `field "fingerprint": want a text, got 1`,
	} {
		var r batch.Result
		require.EqualError(t, json.Unmarshal([]byte(input), &r), want)
		if input == `null` || input == `[]` {
			continue
		}
		var response batch.Response
		require.EqualError(t, json.Unmarshal([]byte(`{"results":[{},`+input+`]}`), &response),
			`field "results": result 2: `+want)
	}
}

func TestFieldsThatAResultDoesNotKnowAreLeftOut(t *testing.T) {
	var r batch.Result
	require.NoError(t, json.Unmarshal([]byte(`{"id":"a","success":true,"more":1,"Err":{},"request":{}}`), &r))
	require.Equal(t, batch.Result{ID: "a", Success: true}, r)
}

func TestAFailedResultReadFromJSONHasItsError(t *testing.T) {
	var r batch.Result
	require.NoError(t, json.Unmarshal([]byte(
		`{"id":"a","index":3,"success":false,"error":"too slow","error_type":"APITimeoutError","attempts":2}`), &r))
	require.EqualError(t, r.Err, `request "a": too slow`)
	require.ErrorIs(t, r.Err, batch.ErrAPITimeout)
	failure, ok := errors.AsType[*batch.RequestError](r.Err)
	require.True(t, ok)
	require.Equal(t, "a", failure.ID)
	require.EqualValues(t, 3, failure.Index)
	require.Equal(t, 2, failure.Attempts)
}

func TestAFailedResultThatDoesNotSayWhyHasAnErrorAllTheSame(t *testing.T) {
	for _, line := range []string{`{"success":false}`, `{}`, `{"error":"boom"}`, `{"error_type":"OddError"}`} {
		var r batch.Result
		require.NoError(t, json.Unmarshal([]byte(line), &r))
		require.False(t, r.Success)
		require.Error(t, r.Err)
	}
}

func TestAResultCannotBeBothASuccessAndAFailure(t *testing.T) {
	var r batch.Result
	require.NoError(t, json.Unmarshal([]byte(`{"success":true,"error":"boom","error_type":"ServerError"}`), &r))
	require.False(t, r.Success)
	require.ErrorIs(t, r.Err, batch.ErrServer)
}

func TestAResultThatCannotBeEncodedNamesTheFieldAndLeavesTheBufferAsItWas(t *testing.T) {
	bad := json.RawMessage("{")
	badCall := batch.ToolCall{Extra: map[string]json.RawMessage{"x": bad}}
	for want, r := range map[string]batch.Result{
		`field "structured_output": `: {StructuredOutput: bad},
		// What follows the broken field must not hide it.
		`field "structured_output": unexpected`:                               {StructuredOutput: bad, ToolCalls: []batch.ToolCall{}},
		`field "tool_calls": tool call 2: "x": `:                              {ToolCalls: []batch.ToolCall{{}, badCall}},
		`field "tool_execution_history": call 1: arguments of a call of tool`: {ToolExecutionHistory: []batch.ToolExecution{{Arguments: bad}}},
		`field "metadata": "m": `:                                             {Metadata: map[string]any{"m": make(chan int)}},
	} {
		r.ID = "odd"
		line, err := r.AppendJSON([]byte("before\n"))
		require.ErrorContains(t, err, `result "odd": `+want)
		require.Equal(t, "before\n", string(line))
	}
}

func TestACostThatIsNoNumberIsLeftOutOfTheResult(t *testing.T) {
	for _, cost := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		line, err := (&batch.Result{ID: "a", Success: true, CostUSD: &cost}).AppendJSON(nil)
		require.NoError(t, err)
		require.NotContains(t, string(line), "cost_usd")
	}
}

func TestAnErrorWithoutAKindIsAServerError(t *testing.T) {
	r := batch.Result{ID: "a", Success: true}
	r.SetError(errors.New("boom"))
	require.False(t, r.Success)
	require.Equal(t, "boom", r.Error)
	require.Equal(t, batch.ErrServer, r.ErrorType)
	require.ErrorIs(t, r.Err, batch.ErrServer)
	r.ClearError()
	require.Equal(t, batch.Result{ID: "a"}, r)
}

func TestAResultTakesOverAnotherRequestsErrorAsItsOwn(t *testing.T) {
	other := &batch.RequestError{ID: "other", Index: 1, Attempts: 9, Err: batch.ErrQuotaExceeded.Errorf("no credit")}
	r := batch.Result{ID: "mine", Index: 2, Attempts: 3}
	r.SetError(other)
	require.EqualError(t, r.Err, `request "mine": no credit`)
	require.Equal(t, "no credit", r.Error)
	require.Equal(t, batch.ErrQuotaExceeded, r.ErrorType)

	r.SetError(fmt.Errorf("looking up the parent: %w", other))
	require.Equal(t, `looking up the parent: request "other": no credit`, r.Error)
	require.Equal(t, batch.ErrQuotaExceeded, r.ErrorType)

	r.SetError(&batch.RequestError{ID: "other"})
	require.Equal(t, batch.ErrServer, r.ErrorType)
}

func TestSetErrorNeedsAnError(t *testing.T) {
	require.PanicsWithValue(t, "gluepipe: SetError needs an error", func() { new(batch.Result).SetError(nil) })
}

func TestMetadataIsSetOnACopy(t *testing.T) {
	shared := map[string]any{"row": 1}
	r := batch.Result{Metadata: shared}
	r.SetMetadata("_retried", true)
	require.Equal(t, map[string]any{"row": 1, "_retried": true}, r.Metadata)
	require.Equal(t, map[string]any{"row": 1}, shared)

	r = batch.Result{}
	r.SetMetadata("a", 1)
	require.Equal(t, map[string]any{"a": 1}, r.Metadata)
}

func TestTokensAddUp(t *testing.T) {
	u := batch.TokenUsage{Prompt: 1, Completion: 2, Total: 3}
	u.Add(nil)
	u.Add(&batch.TokenUsage{Prompt: 10, Completion: 20, Total: 30})
	require.Equal(t, batch.TokenUsage{Prompt: 11, Completion: 22, Total: 33}, u)
}

func TestTimesAreSecondsInJSON(t *testing.T) {
	r := batch.Result{Success: true, ElapsedTime: 1234567890 * time.Nanosecond, WaitTime: time.Millisecond}
	var got map[string]any
	require.NoError(t, json.Unmarshal(encode(t, r), &got))
	require.InDelta(t, 1.23456789, got["elapsed_time"], 0)
	require.InDelta(t, 0.001, got["wait_time"], 0)
}
