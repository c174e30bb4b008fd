package batch_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// If one of these changes, so must the version before the colon: the files of earlier runs hold the old ones.
func TestFingerprintsStayWhatTheyAre(t *testing.T) {
	require.Equal(t, "v1:4603e520c93d83ae9dba32ced8e75428", fingerprint(t, effective()))
	require.Equal(t, "v1:44136fa355b3678a1146ad16f7e8649e", fingerprint(t, &batch.Request{}))
	require.Equal(t, "v1:082027641f4532cec3b8585e1d86e6a9", batch.FingerprintRecord([]byte(`{"id":`)))
}

func TestWhatTheModelIsAskedChangesTheFingerprint(t *testing.T) {
	no := false
	seen := map[string]string{fingerprint(t, effective()): "nothing"}
	for name, change := range map[string]func(*batch.Request){
		"model":               func(r *batch.Request) { r.Model = "openai:other" },
		"a message's text":    func(r *batch.Request) { r.Messages[1] = batch.UserMessage("bye") },
		"a message's role":    func(r *batch.Request) { r.Messages[1].Role = "assistant" },
		"a message's name":    func(r *batch.Request) { r.Messages[1].Name = "ann" },
		"a message's extras":  func(r *batch.Request) { r.Messages[1].Extra = map[string]json.RawMessage{"x": []byte("1")} },
		"one message less":    func(r *batch.Request) { r.Messages = r.Messages[:1] },
		"the messages' order": func(r *batch.Request) { r.Messages[0], r.Messages[1] = r.Messages[1], r.Messages[0] },
		"no tools":            func(r *batch.Request) { r.Tools = nil },
		"a tool's name":       func(r *batch.Request) { r.Tools[0].Name = "g" },
		"a tool's text":       func(r *batch.Request) { r.Tools[0].Description = "does g" },
		"a tool's schema":     func(r *batch.Request) { r.Tools[0].Parameters = json.RawMessage(`{"type":"object"}`) },
		"a tool's definition": func(r *batch.Request) { r.Tools[0].Raw = json.RawMessage(`{"type":"web_search"}`) },
		"response format":     func(r *batch.Request) { r.ResponseFormat = json.RawMessage(`{"type":"text"}`) },
		"no response format":  func(r *batch.Request) { r.ResponseFormat = nil },
		"order in a schema": func(r *batch.Request) {
			r.ResponseFormat = json.RawMessage(`{"type":"json_schema","json_schema":{"schema":{"a":2,"z":1}}}`)
		},
		"a param's value": func(r *batch.Request) { r.Params["seed"] = 8 },
		"one param more":  func(r *batch.Request) { r.Params["top_k"] = 1 },
		"no params":       func(r *batch.Request) { r.Params = nil },
		"execute_tools":   func(r *batch.Request) { r.ExecuteTools = &no },
	} {
		r := effective()
		change(r)
		print := fingerprint(t, r)
		require.NotContains(t, seen, print, "%s and %s", name, seen[print])
		seen[print] = name
	}
}

func TestWhatTheModelIsNotAskedLeavesTheFingerprint(t *testing.T) {
	want := fingerprint(t, effective())
	yes := true
	for name, change := range map[string]func(*batch.Request){
		"id":                  func(r *batch.Request) { r.ID = "other" },
		"metadata":            func(r *batch.Request) { r.Metadata = map[string]any{"row": 7} },
		"timeout":             func(r *batch.Request) { r.Timeout = time.Hour },
		"max_tool_iterations": func(r *batch.Request) { r.MaxToolIterations = 99 },
		"fields not sent":     func(r *batch.Request) { r.Extra = map[string]json.RawMessage{"colour": []byte(`"red"`)} },
		"the texts that became messages": func(r *batch.Request) {
			r.UserMessage, r.SystemPrompt = "hi", "be brief"
		},
		"execute_tools said aloud": func(r *batch.Request) { r.ExecuteTools = &yes },
		"a read-only hint":         func(r *batch.Request) { r.Tools[0].ReadOnly = true },
		"whitespace": func(r *batch.Request) {
			r.Messages[1].Content = json.RawMessage(" \"hi\"\n")
			r.Tools[0].Parameters = json.RawMessage("{ \"type\": \"object\",\n\"properties\": {\"n\": {}} }")
			r.ResponseFormat = json.RawMessage(`{"type": "json_schema", "json_schema": {"schema": {"z": 1, "a": 2}}}`)
		},
		"params as JSON": func(r *batch.Request) {
			r.Params = map[string]any{"temperature": json.RawMessage(" 0.5"), "seed": json.RawMessage("7 ")}
		},
	} {
		r := effective()
		change(r)
		require.Equal(t, want, fingerprint(t, r), name)
	}
}

func TestTheOrderOfParamsDoesNotCount(t *testing.T) {
	var one, two batch.Request
	require.NoError(t, json.Unmarshal([]byte(`{"params":{"a":1,"b":2,"c":3}}`), &one))
	require.NoError(t, json.Unmarshal([]byte(`{"params" : {"c" : 3, "b" : 2, "a" : 1}}`), &two))
	require.Equal(t, fingerprint(t, &one), fingerprint(t, &two))
}

func TestRequestsThatWereNotResolvedDifferByTheirPrompts(t *testing.T) {
	a := fingerprint(t, &batch.Request{UserMessage: "a"})
	require.NotEqual(t, a, fingerprint(t, &batch.Request{UserMessage: "b"}))
	require.NotEqual(t, a, fingerprint(t, &batch.Request{UserMessage: "a", SystemPrompt: "b"}))
}

func TestARequestThatCannotBeEncodedHasNoFingerprint(t *testing.T) {
	for want, r := range map[string]batch.Request{
		`field "params": "p": `:    {Params: map[string]any{"p": make(chan int)}},
		`parameters of tool "f": `: {Tools: []batch.Tool{{Name: "f", Parameters: json.RawMessage("{")}}},
	} {
		text, err := batch.Fingerprint(&r)
		require.ErrorContains(t, err, want)
		require.Empty(t, text)
	}
}

func TestBrokenRecordsAreTheSameButForTheSpaceAroundThem(t *testing.T) {
	want := batch.FingerprintRecord([]byte(`{"id":`))
	require.Equal(t, want, batch.FingerprintRecord([]byte(" {\"id\":\r\n")))
	require.NotEqual(t, want, batch.FingerprintRecord([]byte(`{"id": `+"x")))
	require.NotEqual(t, want, batch.FingerprintRecord(nil))
}

func effective() *batch.Request {
	return &batch.Request{
		ID: "a", Model: "openai:gpt-4o-mini",
		Messages: []batch.Message{batch.SystemMessage("be brief"), batch.UserMessage("hi")},
		Tools: []batch.Tool{{
			Name: "f", Description: "does f", Parameters: json.RawMessage(`{"type":"object","properties":{"n":{}}}`),
		}},
		ResponseFormat: json.RawMessage(`{"type":"json_schema","json_schema":{"schema":{"z":1,"a":2}}}`),
		Params:         map[string]any{"temperature": 0.5, "seed": 7},
	}
}

func fingerprint(t *testing.T, r *batch.Request) string {
	t.Helper()
	text, err := batch.Fingerprint(r)
	require.NoError(t, err)
	require.Regexp(t, `^v1:[0-9a-f]{32}$`, text)
	return text
}

// fingerprintLines are requests whose parts are written in all ways that JSON allows.
var fingerprintLines = []string{
	`{"user_message":"Hi","system_prompt":"Be \"brief\".\n","model":"openai:gpt-4o-mini"}`,
	`{"messages":[{"role":"user","content":"caf\u00e9 \ud83d\ude00 \/ \u2028 \ud800"}],"model":"m"}`,
	`{"messages":[{"role":"user","content":[ {"type" : "text", "text":"a b"}, {"type":"image_url","image_url":{"url":"data:,x"}} ]}]}`,
	`{"messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f",` +
		`"arguments":"{\"a\": 1}"},"x":{"y" : 1.0}}]},{"role":"tool","tool_call_id":"c","content":"1"}],"model":"m"}`,
	`{"messages":[{"role":"user","content":"x","name":"ann","b":1e2,"a":[ ]}],"params":{"z":1.50,"temperature":0,"stop":["a" , "b"],` +
		`"logit_bias":{"b":1,"a":2},"none":null}}`,
	`{"input":["a", "b"],"model":"e","params":{"dimensions":256}}`,
	`{"messages":[],"tools":["calculate",{"type":"function","function":{"name":"f","description":"d","parameters":{"b":1,"a":{ }}}},` +
		`{"type":"web_search","x":1},{"name":"g","parameters":{"z":1,"a":2}}],"execute_tools":false,` +
		`"response_format":{"type":"json_schema","json_schema":{"schema":{"z":1,"a":"` + "\u2028<&>\xff\xff" + `"}}}}`,
	"{\"user_message\":\"\x7f\u00e4\xff\xfe\u2029\"}",
}

// The files of runs by earlier versions hold these.
func TestFingerprintsOfEarlierVersionsStillMatch(t *testing.T) {
	want := []string{
		"v1:e88d23295a9a84df3023af2ea5a0c993",
		"v1:5ba079805a312ad521291fff75dbce7c",
		"v1:c820a130e9ccfff0080f3182014e89d3",
		"v1:c26470b9f3cd8a0b7f484fed0e2839f0",
		"v1:a370c54d2a82c5503f2e3175253091b2",
		"v1:13af9019b58987e75f0631fc0b8f9384",
		"v1:163749671c02fac41eaa3728d903bb02",
		"v1:5668e0c2c52268454ece48a40eeca45e",
	}
	for i, line := range fingerprintLines {
		var r batch.Request
		require.NoError(t, r.UnmarshalJSON([]byte(line)))
		require.Equal(t, want[i], fingerprint(t, &r), line)
	}
	fromGo := &batch.Request{Model: "m", UserMessage: "x", Params: map[string]any{
		"a": 0.7, "b": 1e-7, "c": 1e21, "d": float32(0.1), "e": 3, "f": []string{"<"}, "g": json.Number("1.0"), "h": int8(3),
		"i": []any{1.5, nil, true}, "j": map[string]any{"z": 1, "a": "\x00"}, "k": 0.0, "l": 100000000.0, "m": uint64(1 << 63),
	}}
	require.Equal(t, "v1:108aa671e2f731a621fe80aff2a05990", fingerprint(t, fromGo))
}
