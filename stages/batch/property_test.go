package batch_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestAnyRequestComesBackFromJSONAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := requests.Draw(t, "request")
		line := encode(t, want)
		var got batch.Request
		require.NoError(t, json.Unmarshal(line, &got))
		require.Equal(t, want, got)
	})
}

func TestAnyResultComesBackFromJSONAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := results.Draw(t, "result")
		line, err := want.AppendJSON([]byte("before\n"))
		require.NoError(t, err)
		require.Equal(t, "before\n", string(line[:7]))
		require.NotContains(t, string(line[7:]), "\n")
		var got batch.Result
		require.NoError(t, json.Unmarshal(line[7:], &got))
		if want.Err == nil {
			require.NoError(t, got.Err)
		} else {
			require.EqualError(t, got.Err, want.Err.Error())
			require.Equal(t, batch.KindOf(want.Err), batch.KindOf(got.Err))
		}
		want.Err, got.Err = nil, nil
		require.Equal(t, want, got)
	})
}

func TestAnyTextMakesAValidLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := string(rapid.SliceOf(rapid.Byte()).Draw(t, "text"))
		line := encode(t, batch.Result{
			ID: text, Response: text, Error: text, ErrorType: batch.ErrorKind(text), Model: text,
			Metadata:             map[string]any{text: text},
			StructuredOutput:     json.RawMessage(`"` + "\xff" + `"`),
			ToolCalls:            []batch.ToolCall{{ID: text, Name: text, Arguments: text}},
			ToolExecutionHistory: []batch.ToolExecution{{ToolName: text, Result: text}},
		})
		var r batch.Result
		require.NoError(t, json.Unmarshal(line, &r))
		require.Equal(t, string(line), string(encode(t, r)))

		messages := []batch.Message{{Name: text, Content: batch.Text(text)}}
		line = encode(t, batch.Request{ID: text, UserMessage: text, Messages: messages})
		var request batch.Request
		require.NoError(t, json.Unmarshal(line, &request))
		require.Equal(t, string(line), string(encode(t, request)))
	})
}

func TestAnyTimeComesBackFromJSONAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := batch.Result{Success: true, ElapsedTime: time.Duration(rapid.Int64().Draw(t, "nanoseconds"))}
		var got batch.Result
		require.NoError(t, json.Unmarshal(encode(t, want), &got))
		require.Equal(t, want.ElapsedTime, got.ElapsedTime)
	})
}

func TestTheFingerprintOfARequestSurvivesJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := requests.Draw(t, "request")
		var got batch.Request
		require.NoError(t, json.Unmarshal(encode(t, want), &got))
		one, err := batch.Fingerprint(&want)
		require.NoError(t, err)
		two, err := batch.Fingerprint(&got)
		require.NoError(t, err)
		require.Equal(t, one, two)
	})
}

var (
	texts     = rapid.String()
	durations = rapid.Map(rapid.Int64(), func(n int64) time.Duration { return time.Duration(n) })
	numbers   = rapid.Map(rapid.StringMatching(`-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?`),
		func(s string) any { return json.Number(s) })
	values = anyValue(3)
	// Go -> JSON sorts keys, so that raw JSON made of values is already as it will be written.
	raws = rapid.Map(values, func(v any) json.RawMessage {
		data, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		return data
	})
	schemas = rapid.Map(raws, func(raw json.RawMessage) json.RawMessage {
		return json.RawMessage(`{"a":` + string(raw) + `}`)
	})
	extras = rapid.OneOf(rapid.Just[map[string]json.RawMessage](nil),
		rapid.MapOfN(rapid.StringMatching(`x_[a-z]*`), raws, 1, 3))
	objects    = rapid.OneOf(rapid.Just[map[string]any](nil), rapid.MapOfN(texts, values, 0, 3))
	rawObjects = rapid.OneOf(rapid.Just[map[string]any](nil),
		rapid.MapOfN(texts, rapid.Map(raws, func(raw json.RawMessage) any { return raw }), 0, 3))

	toolCalls = rapid.Custom(func(t *rapid.T) batch.ToolCall {
		return batch.ToolCall{
			ID: texts.Draw(t, "id"), Type: "function", Name: texts.Draw(t, "name"), Arguments: texts.Draw(t, "arguments"),
			Extra: extras.Draw(t, "extra"),
		}
	})
	messages = rapid.Custom(func(t *rapid.T) batch.Message {
		return batch.Message{
			Role: texts.Draw(t, "role"), Content: optional(raws).Draw(t, "content"), Name: texts.Draw(t, "name"),
			ToolCalls: lists(toolCalls).Draw(t, "calls"), ToolCallID: texts.Draw(t, "call id"), Extra: extras.Draw(t, "extra"),
		}
	})
	tools = rapid.Custom(func(t *rapid.T) batch.Tool {
		return batch.Tool{Name: texts.Filter(func(s string) bool { return s != "" }).Draw(t, "name")}
	})
	requests = rapid.Custom(func(t *rapid.T) batch.Request {
		return batch.Request{
			ID: texts.Draw(t, "id"), UserMessage: texts.Draw(t, "user"), SystemPrompt: texts.Draw(t, "system"),
			Messages: lists(messages).Draw(t, "messages"), Model: texts.Draw(t, "model"), Tools: lists(tools).Draw(t, "tools"),
			ExecuteTools: rapid.Ptr(rapid.Bool(), true).Draw(t, "execute"), MaxToolIterations: rapid.Int().Draw(t, "turns"),
			ResponseFormat: optional(schemas).Draw(t, "format"), Timeout: durations.Draw(t, "timeout"),
			Params: rawObjects.Draw(t, "params"), Metadata: objects.Draw(t, "metadata"), Extra: extras.Draw(t, "extra"),
		}
	})
	executions = rapid.Custom(func(t *rapid.T) batch.ToolExecution {
		return batch.ToolExecution{
			ToolName: texts.Draw(t, "tool"), Arguments: optional(schemas).Draw(t, "arguments"), Result: texts.Draw(t, "result"),
			Error: rapid.Bool().Draw(t, "error"), ElapsedTime: durations.Draw(t, "elapsed"),
		}
	})
	usages = rapid.Custom(func(t *rapid.T) batch.TokenUsage {
		return batch.TokenUsage{
			Prompt: rapid.Int64().Draw(t, "prompt"), Completion: rapid.Int64().Draw(t, "completion"),
			Total: rapid.Int64().Draw(t, "total"),
		}
	})
	results = rapid.Custom(func(t *rapid.T) batch.Result {
		r := batch.Result{
			ID: texts.Draw(t, "id"), Index: rapid.Int64().Draw(t, "index"), Success: true, Response: texts.Draw(t, "response"),
			StructuredOutput: optional(raws).Draw(t, "output"), ToolCalls: lists(toolCalls).Draw(t, "calls"),
			ToolCallsMade: rapid.Int().Draw(t, "made"), ToolExecutionHistory: lists(executions).Draw(t, "history"),
			TokensUsed: rapid.Ptr(usages, true).Draw(t, "tokens"), Metadata: objects.Draw(t, "metadata"),
			ElapsedTime: durations.Draw(t, "elapsed"), WaitTime: durations.Draw(t, "wait"), Model: texts.Draw(t, "model"),
			FinishReason: texts.Draw(t, "reason"), Attempts: rapid.Int().Draw(t, "attempts"),
			CostUSD: rapid.Ptr(rapid.Float64(), true).Draw(t, "cost"), Fingerprint: texts.Draw(t, "fingerprint"),
		}
		if rapid.Bool().Draw(t, "failed") {
			r.SetError(batch.ErrTruncated.Errorf("%s", texts.Draw(t, "error")))
		}
		return r
	})
)

func anyValue(depth int) *rapid.Generator[any] {
	leaves := []*rapid.Generator[any]{
		rapid.Just[any](nil), rapid.Bool().AsAny(), texts.AsAny(), numbers,
	}
	if depth == 0 {
		return rapid.OneOf(leaves...)
	}
	inner := anyValue(depth - 1)
	return rapid.OneOf(append(leaves, rapid.SliceOfN(inner, 0, 3).AsAny(), rapid.MapOfN(texts, inner, 0, 3).AsAny())...)
}

func lists[T any](element *rapid.Generator[T]) *rapid.Generator[[]T] {
	return rapid.OneOf(rapid.Just[[]T](nil), rapid.SliceOfN(element, 0, 3))
}

func optional(raw *rapid.Generator[json.RawMessage]) *rapid.Generator[json.RawMessage] {
	return rapid.OneOf(rapid.Just[json.RawMessage](nil), raw)
}
