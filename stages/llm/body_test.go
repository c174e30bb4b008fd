package llm_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

func rawParams(t *testing.T, text string) map[string]any {
	t.Helper()
	var request batch.Request
	require.NoError(t, json.Unmarshal([]byte(`{"params":`+text+`}`), &request))
	return request.Params
}

func TestBodyIsWhatTheUserMeant(t *testing.T) {
	var chat []batch.Message
	require.NoError(t, json.Unmarshal([]byte(`[
		{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AA==","format":"wav"}}],"x":1.0},
		{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":""}}]},
		{"role":"tool","tool_call_id":"1","content":""}]`), &chat))
	tests := map[string]struct {
		call llm.Call
		want string
	}{
		"least":  {llm.Call{Model: "m"}, `{"model":"m","messages":[]}`},
		"prefix": {llm.Call{Model: "azure:my-deployment"}, `{"model":"my-deployment","messages":[]}`},
		"a chat as it was": {
			llm.Call{Model: "m", Messages: chat},
			`{"model":"m","messages":[` +
				`{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AA==","format":"wav"}}],"x":1.0},` +
				`{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":""}}]},` +
				`{"role":"tool","content":"","tool_call_id":"1"}]}`,
		},
		"zeros, unknown fields and odd numbers from JSON": {
			llm.Call{Model: "m", Params: rawParams(t, `{"top_p": 1.0, "temperature": 0, "seed": 12345678901234567890,
				"logprobs": false, "stop": "\n<END>", "user": null, "chat_template_kwargs": {"enable_thinking": false}, "big": 1e400}`)},
			`{"model":"m","messages":[],"big":1e400,"chat_template_kwargs":{"enable_thinking":false},"logprobs":false,` +
				`"seed":12345678901234567890,"stop":"\n<END>","temperature":0,"top_p":1.0,"user":null}`,
		},
		"zeros from Go": {
			llm.Call{Model: "m", Params: map[string]any{"temperature": 0.0, "logprobs": false, "stop": []string{"a"}, "stream": false}},
			`{"model":"m","messages":[],"logprobs":false,"stop":["a"],"stream":false,"temperature":0}`,
		},
		"tools and response format": {
			llm.Call{
				Model: "m", ResponseFormat: []byte("{\n\"type\": \"json_object\"}"),
				Tools: []batch.Tool{{Name: "now"}, {Raw: []byte(`{"type":"web_search","strict":false}`)}},
			},
			`{"model":"m","messages":[],"tools":[{"type":"function","function":{"name":"now","parameters":` +
				`{"type":"object","properties":{}}}},{"type":"web_search","strict":false}],"response_format":{"type":"json_object"}}`,
		},
		"tools from params": {
			llm.Call{Model: "m", Params: rawParams(t, `{"tools":[],"response_format":null}`)},
			`{"model":"m","messages":[],"response_format":null,"tools":[]}`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			body, err := llm.AppendBody([]byte("before "), &test.call)
			require.NoError(t, err)
			require.Equal(t, "before "+test.want, string(body))
		})
	}
}

func TestBodyThatCantBeMeantIsRefused(t *testing.T) {
	tests := map[string]struct {
		call llm.Call
		text string
	}{
		"model twice":     {llm.Call{Params: map[string]any{"model": "x"}}, `params: "model" is a field of the request itself: set it there`},
		"tools twice":     {llm.Call{Tools: []batch.Tool{{Name: "f"}}, Params: map[string]any{"tools": nil}}, `params: "tools" is a field of the request itself: set it there`},
		"stream":          {llm.Call{Params: rawParams(t, `{"stream": true}`)}, `params: "stream": answers are read whole: leave it out`},
		"content":         {llm.Call{Messages: []batch.Message{{Role: "user", Content: []byte("{")}}}, "message 1: "},
		"tool":            {llm.Call{Tools: []batch.Tool{{Name: "f", Parameters: []byte("}")}}}, ""},
		"response format": {llm.Call{ResponseFormat: []byte("x")}, ""},
		"param":           {llm.Call{Params: map[string]any{"f": func() {}}}, `params: "f": json: unsupported type: func()`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := llm.AppendBody(nil, &test.call)
			require.ErrorIs(t, err, batch.ErrInvalidRequest)
			require.ErrorContains(t, err, test.text)
			_, err = serve(t, nil).Complete(t.Context(), &test.call)
			require.False(t, asError(t, err).Retryable)
			require.ErrorContains(t, err, "writing the request: "+test.text)
		})
	}
}
