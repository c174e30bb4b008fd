package tool_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/tool"
)

// FuzzEveryToolCallOfAMessageIsAnswered says that what a model writes as the calls of a turn, however wrong, becomes as many
// answers, in their order, each fit to be sent back and to be written down.
func FuzzEveryToolCallOfAMessageIsAnswered(f *testing.F) {
	for _, seed := range []string{
		`{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"calculate","arguments":"{\"expression\":\"1/0\"}"}}]}`,
		`{"tool_calls":[{"id":"1","function":{"name":"now","arguments":""}},{"id":"1","function":{"name":"now","arguments":null}}]}`,
		`{"tool_calls":[{"function":{"name":"now","arguments":{"timezone":"../../etc/passwd"}}},{"function":{"name":"none"}}]}`,
		`{"tool_calls":[{"function":{"name":"echo","arguments":"{\"a\": 1"}},{"function":{"name":"fails","arguments":"[]"}}]}`,
		`{"tool_calls":[{"function":{"name":"panics","arguments":"{}"}},{"function":{"name":"","arguments":"\ud800"}},{"type":"custom"}]}`,
		`{"tool_calls":[{"function":{"name":"calculate","arguments":"{\"expression\":\"9^9^9^9\"}"}},{}]}`,
		`{"tool_calls":[{"function":{"name":"echo","arguments":"{\"a\":{\"a\":{\"a\":[[[[null]]]]}},\"a\":\"\\u0000\"}"}}]}`,
		`{"tool_calls":[]}`, `{"tool_calls":null}`, `{"tool_calls":[null]}`, `{}`,
	} {
		f.Add([]byte(seed))
	}
	tools := append(tool.Builtins(),
		batch.Tool{Name: "echo", Call: func(_ context.Context, a json.RawMessage) (string, error) { return string(a), nil }},
		batch.Tool{Name: "fails", Call: func(_ context.Context, a json.RawMessage) (string, error) { return "", errors.New(string(a)) }},
		batch.Tool{Name: "panics", Call: func(_ context.Context, a json.RawMessage) (string, error) { panic(string(a)) }},
	)
	f.Fuzz(func(t *testing.T, data []byte) {
		var message batch.Message
		if message.UnmarshalJSON(data) != nil || len(message.ToolCalls) > 100 {
			return
		}
		executions := tool.Run(t.Context(), tools, message.ToolCalls, tool.RunOptions{})
		require.Len(t, executions, len(message.ToolCalls))
		for i, e := range executions {
			require.Equal(t, message.ToolCalls[i].Name, e.ToolName)
			require.True(t, json.Valid(e.Arguments), "%q", e.Arguments)
			require.True(t, utf8.ValidString(e.Result))
			_, err := e.MarshalJSON()
			require.NoError(t, err)
			answer := batch.ToolMessage(message.ToolCalls[i].ID, e.Result)
			line, err := answer.AppendJSON(nil)
			require.NoError(t, err)
			require.True(t, json.Valid(line))
		}
	})
}
