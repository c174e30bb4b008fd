package batch_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestARequestIsReadFieldByField(t *testing.T) {
	no := false
	var r batch.Request
	require.NoError(t, json.Unmarshal([]byte(`
		{"id": "r1", "user_message": "hi", "system_prompt": "be brief", "model": "openai:m", "tools": ["calculate"],
		 "execute_tools": false, "max_tool_iterations": 3, "response_format": {"type": "json_object"}, "timeout": 1.5,
		 "params": {"temperature": 0.10}, "metadata": {"row": 1.0}, "colour": [1 , 2]}`), &r))
	require.Equal(t, batch.Request{
		ID: "r1", UserMessage: "hi", SystemPrompt: "be brief", Model: "openai:m", Tools: []batch.Tool{{Name: "calculate"}},
		ExecuteTools: &no, MaxToolIterations: 3, ResponseFormat: json.RawMessage(`{"type": "json_object"}`),
		Timeout:  1500 * time.Millisecond,
		Params:   map[string]any{"temperature": json.RawMessage("0.10")},
		Metadata: map[string]any{"row": json.Number("1.0")},
		Extra:    map[string]json.RawMessage{"colour": json.RawMessage("[1 , 2]")},
	}, r)
}

func TestNullIsTheSameAsAbsentInARequest(t *testing.T) {
	var r batch.Request
	require.NoError(t, json.Unmarshal([]byte(`
		{"id": null, "user_message": null, "system_prompt": null, "messages": null, "model": null, "tools": null,
		 "execute_tools": null, "max_tool_iterations": null, "response_format": null, "timeout": null, "params": null,
		 "metadata": null}`), &r))
	require.Zero(t, r)
}

func TestEmptyIsNotAbsentInARequest(t *testing.T) {
	var r batch.Request
	require.NoError(t, json.Unmarshal([]byte(`{"messages":[],"tools":[],"params":{},"metadata":{}}`), &r))
	require.NotNil(t, r.Messages)
	require.NotNil(t, r.Tools)
	require.NotNil(t, r.Params)
	require.NotNil(t, r.Metadata)
}

func TestTheLastOfDuplicateKeysCounts(t *testing.T) {
	var r batch.Request
	require.NoError(t, json.Unmarshal([]byte(
		`{"id":"a","id":"b","params":{"n":1,"n":2},"metadata":{"n":1,"n":2},"x":1,"x":2}`), &r))
	require.JSONEq(t, `{"id":"b","params":{"n":2},"metadata":{"n":2},"x":2}`, string(encode(t, r)))
}

func TestFieldNamesAreCaseSensitive(t *testing.T) {
	var r batch.Request
	require.NoError(t, json.Unmarshal([]byte(`{"ID":"a","Timeout":"soon"}`), &r))
	require.Empty(t, r.ID)
	require.Len(t, r.Extra, 2)
}

func TestAWrongFieldOfARequestIsNamed(t *testing.T) {
	for input, want := range map[string]string{
		`null`:  `want a JSON object, got null`,
		`5`:     `want a JSON object, got 5`,
		`"x"`:   `want a JSON object, got "x"`,
		`[{}]`:  `want a JSON object, got [{}]`,
		` true`: `want a JSON object, got true`,

		`{"id":5}`:                        `field "id": want a text, got 5`,
		`{"user_message":["a"]}`:          `field "user_message": want a text, got ["a"]`,
		`{"system_prompt":{}}`:            `field "system_prompt": want a text, got {}`,
		`{"model":false}`:                 `field "model": want a text, got false`,
		`{"messages":"hi"}`:               `field "messages": want a list of messages, got "hi"`,
		`{"messages":{"role":"user"}}`:    `field "messages": want a list of messages, got {"role":"user"}`,
		`{"tools":"calculate"}`:           `field "tools": want a list of tools, got "calculate"`,
		`{"execute_tools":"yes"}`:         `field "execute_tools": want true or false, got "yes"`,
		`{"max_tool_iterations":1.5}`:     `field "max_tool_iterations": want a whole number, got 1.5`,
		`{"max_tool_iterations":1e400}`:   `field "max_tool_iterations": want a whole number, got 1e400`,
		`{"max_tool_iterations":"3"}`:     `field "max_tool_iterations": want a whole number, got "3"`,
		`{"timeout":"soon"}`:              `field "timeout": want a number of seconds, got "soon"`,
		`{"timeout":true}`:                `field "timeout": want a number of seconds, got true`,
		`{"timeout":1e400}`:               `field "timeout": want a number of seconds, got 1e400`,
		`{"timeout":1e10}`:                `field "timeout": want a number of seconds, got 1e10`,
		`{"timeout":-9223372036.9}`:       `field "timeout": want a number of seconds, got -9223372036.9`,
		`{"params":[]}`:                   `field "params": want an object, got []`,
		`{"params":"x"}`:                  `field "params": want an object, got "x"`,
		`{"metadata":[1]}`:                `field "metadata": want an object, got [1]`,
		`{"metadata":1}`:                  `field "metadata": want an object, got 1`,
		`{"metadata": {"a":1}, "id": {}}`: `field "id": want a text, got {}`,

		`{"messages":[{"role":"user"},5]}`: `field "messages": message 2: want a JSON object, got 5`,
		`{"messages":[null]}`:              `field "messages": message 1: want a JSON object, got null`,
		`{"messages":[{"role":5}]}`:        `field "messages": message 1: field "role": want a text, got 5`,
		`{"messages":[{"name":[]}]}`:       `field "messages": message 1: field "name": want a text, got []`,
		`{"messages":[{"tool_call_id":1}]}`: `field "messages": message 1: field "tool_call_id": want a text, ` +
			`got 1`,
		`{"messages":[{"tool_calls":{}}]}`: `field "messages": message 1: field "tool_calls": ` +
			`want a list of tool calls, got {}`,
		`{"messages":[{"tool_calls":[{"function":{"name":5}}]}]}`: `field "messages": message 1: ` +
			`field "tool_calls": tool call 1: field "function": field "name": want a text, got 5`,
		`{"messages":[{"tool_calls":[{},{"function":"f"}]}]}`: `field "messages": message 1: ` +
			`field "tool_calls": tool call 2: field "function": want a JSON object, got "f"`,

		`{"tools":["a",5]}`:               `field "tools": tool 2: want a tool's name or its definition, got 5`,
		`{"tools":[null]}`:                `field "tools": tool 1: a tool needs a name`,
		`{"tools":[""]}`:                  `field "tools": tool 1: a tool needs a name`,
		`{"tools":[{}]}`:                  `field "tools": tool 1: a tool's definition needs a name, got {}`,
		`{"tools":[{"type":1}]}`:          `field "tools": tool 1: field "type": want a text, got 1`,
		`{"tools":[{"function":"f"}]}`:    `field "tools": tool 1: field "function": want a JSON object, got "f"`,
		`{"tools":[{"name":["f"]}]}`:      `field "tools": tool 1: field "name": want a text, got ["f"]`,
		`{"tools":[{"type":"function"}]}`: `field "tools": tool 1: a tool's definition needs a name, got {"type":"function"}`,
	} {
		t.Run(input, func(t *testing.T) {
			var r batch.Request
			require.EqualError(t, json.Unmarshal([]byte(input), &r), want)
			require.EqualError(t, r.UnmarshalJSON([]byte(input)), want)
		})
	}
}

func TestTimeoutsAreReadToTheNanosecond(t *testing.T) {
	for text, want := range map[string]time.Duration{
		`0`: 0, `-1`: -time.Second, `1.23456789`: 1234567890, `0.000000001`: 1, `1e-3`: time.Millisecond, `2.5E1`: 25 * time.Second,
		`1.007e0`: 1007 * time.Millisecond, `9223372036.854775807`: math.MaxInt64, `1e-400`: 0,
	} {
		var r batch.Request
		require.NoError(t, json.Unmarshal([]byte(`{"timeout": `+text+` }`), &r), text)
		require.Equal(t, want, r.Timeout, text)
	}
}

func TestTheFirstWrongFieldIsTheOneNamed(t *testing.T) {
	var r batch.Request
	require.EqualError(t, json.Unmarshal([]byte(`{"metadata":1,"timeout":"x","messages":[5],"id":[]}`), &r),
		`field "id": want a text, got []`)
}

func TestAnErrorShowsOnlyTheStartOfALongValue(t *testing.T) {
	var r batch.Request
	err := json.Unmarshal([]byte(`{"timeout":"`+strings.Repeat("ä", 1000)+`"}`), &r)
	require.EqualError(t, err, `field "timeout": want a number of seconds, got "`+strings.Repeat("ä", 29)+"...",
		"60 bytes, but no half of a letter")
}

func TestBrokenJSONIsASyntaxError(t *testing.T) {
	for _, input := range []string{``, `{`, `{"a":x}`, `{"id":"a"} {}`, `{"id":"a"`} {
		for _, value := range []json.Unmarshaler{
			new(batch.Request), new(batch.Message), new(batch.ToolCall), new(batch.ToolExecution), new(batch.Result),
			new(batch.Summary), new(batch.Response),
		} {
			var syntax *json.SyntaxError
			require.ErrorAs(t, value.UnmarshalJSON([]byte(input)), &syntax, "%T of %s", value, input)
		}
	}
}

func TestARequestThatCannotBeEncodedNamesTheField(t *testing.T) {
	for want, r := range map[string]batch.Request{
		`field "messages": message 2: field "content": `: {Messages: []batch.Message{{}, {Content: json.RawMessage("{")}}},
		`field "messages": message 1: field "tool_calls": tool call 1: "x": `: {Messages: []batch.Message{{
			ToolCalls: []batch.ToolCall{{Extra: map[string]json.RawMessage{"x": json.RawMessage("]")}}},
		}}},
		`field "tools": tool 1: parameters of tool "f": `: {Tools: []batch.Tool{{Name: "f", Parameters: json.RawMessage("x")}}},
		`field "tools": tool 1: definition of tool "f": `: {Tools: []batch.Tool{{Name: "f", Raw: json.RawMessage("x")}}},
		`field "response_format": `:                       {ResponseFormat: json.RawMessage("x")},
		`field "params": "p": `:                           {Params: map[string]any{"p": make(chan int)}},
		`field "metadata": "m": "n": `:                    {Metadata: map[string]any{"m": map[string]any{"n": func() {}}}},
		`"x": `:                                           {Extra: map[string]json.RawMessage{"x": json.RawMessage("")}},
	} {
		_, err := r.MarshalJSON()
		require.ErrorContains(t, err, want)
		require.True(t, strings.HasPrefix(err.Error(), want), err)
	}
}
