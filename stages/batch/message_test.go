package batch_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestMessagesRoundTrip(t *testing.T) {
	for _, line := range []string{
		`{"role":"user","content":"hi"}`,
		`{"role":"user","content":""}`,
		`{"role":"assistant","content":null}`,
		`{"role":"assistant"}`,
		`{"role":"user","content":[]}`,
		`{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AA==","format":"wav"}}],"name":"ann"}`,
		`{"role":"assistant","content":null,"tool_calls":[]}`,
		`{"role":"tool","content":"4","tool_call_id":"c1"}`,
		`{"role":"assistant","content":"x","audio":null,"cache_control":{"type":"ephemeral"},"score":0.10}`,
		`{"role":"assistant","content":"caf\u00e9"}`,
	} {
		var m batch.Message
		requireSameAfterGo(t, []byte(line), &m)
	}
}

func TestContentThatIsNullIsNotContentThatIsAbsent(t *testing.T) {
	var m batch.Message
	require.NoError(t, json.Unmarshal([]byte(`{"role":"assistant","content":null}`), &m))
	require.Equal(t, json.RawMessage("null"), m.Content)
	require.NoError(t, json.Unmarshal([]byte(`{"role":"assistant"}`), &m))
	require.Nil(t, m.Content)
	require.Nil(t, m.Extra)
}

func TestTheTextOfAMessage(t *testing.T) {
	for content, want := range map[string]string{
		`"hi"`: "hi", `""`: "", `null`: "", ``: "", `[]`: "", `{"text":"x"}`: "", `5`: "",
		`[{"type":"text","text":"a"},{"type":"image_url","text":"no"},{"type":"text","text":"b"}]`: "ab",
		`["a"]`: "",
	} {
		m := batch.Message{Content: json.RawMessage(content)}
		require.Equal(t, want, m.Text(), content)
	}
}

func TestMessagesMadeFromTexts(t *testing.T) {
	const text = "a \"b\"\n<c> \u2028 \xff"
	for role, m := range map[string]batch.Message{
		"system": batch.SystemMessage(text), "user": batch.UserMessage(text), "assistant": batch.AssistantMessage(text),
		"tool": batch.ToolMessage("c1", text),
	} {
		require.Equal(t, role, m.Role)
		require.Equal(t, "a \"b\"\n<c> \u2028 \ufffd", m.Text())
	}
	require.Equal(t, "c1", batch.ToolMessage("c1", text).ToolCallID)
}

func TestAMessageThatCannotBeEncodedLeavesTheBufferAsItWas(t *testing.T) {
	for want, m := range map[string]batch.Message{
		`field "content": `: {Content: json.RawMessage("hi")},
		`"x": `:             {Extra: map[string]json.RawMessage{"a": []byte("1"), "x": []byte("{")}},
	} {
		dst, err := m.AppendJSON([]byte("before"))
		require.ErrorContains(t, err, want)
		require.Equal(t, "before", string(dst))
	}
}

func TestToolCallsRoundTrip(t *testing.T) {
	for _, line := range []string{
		`{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\": 1}"}}`,
		`{"id":"c1","type":"function","function":{"name":"f","arguments":""},"extra_content":{"n":1.0},"index":0}`,
		`{"id":"c1","type":"function","function":{"name":"","arguments":"not json"}}`,
		`{"id":"c1","type":"custom","custom":{"name":"f","input":"free text"}}`,
	} {
		var c batch.ToolCall
		requireSameAfterGo(t, []byte(line), &c)
	}
}

func TestToolCallsOfCarelessServersAreRead(t *testing.T) {
	for line, want := range map[string]batch.ToolCall{
		`{}`: {},
		`{"id":null,"type":null,"function":null}`:                   {},
		`{"function":{"name":"f"}}`:                                 {Name: "f"},
		`{"function":{"name":"f","arguments":null}}`:                {Name: "f"},
		`{"function":{"name":"f","arguments":{"a": 1}}}`:            {Name: "f", Arguments: `{"a": 1}`},
		`{"function":{"name":"f","arguments":[1]}}`:                 {Name: "f", Arguments: `[1]`},
		`{"function":{"name":"f","arguments":7}}`:                   {Name: "f", Arguments: `7`},
		`{"id":"c","type":"function","function":{"arguments":"a"}}`: {ID: "c", Type: "function", Arguments: "a"},
	} {
		var c batch.ToolCall
		require.NoError(t, json.Unmarshal([]byte(line), &c), line)
		require.Equal(t, want, c, line)
	}
}

func TestAToolCallWithoutATypeIsAFunctionCall(t *testing.T) {
	require.Equal(t, `{"id":"","type":"function","function":{"name":"f","arguments":""}}`,
		string(encode(t, batch.ToolCall{Name: "f"})))
}

func TestTextReadsContentsThatPeopleMake(t *testing.T) {
	for content, want := range map[string]string{
		` "a" `: "a", `"a\n\u00e4"`: "a\nä", "\"\xff\"": "\ufffd", `"\`: "", `"\"`: "", `"`: "", ``: "", `null`: "", `"a" "b"`: "", `1`: "",
	} {
		m := batch.Message{Content: json.RawMessage(content)}
		require.Equal(t, want, m.Text(), content)
	}
}
