package llmtest

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func FuzzEveryBodyGetsAnAnswerThatIsJSON(f *testing.F) {
	for _, body := range []string{
		``, `null`, `[]`, `{"model":"m","messages":[null]}`,
		`{"model":"m","messages":[{"role":"user","content":"In Paris ((2 + 3)"}],"tools":[{"function":{"name":"calculate",
			"parameters":{"required":["expression","x",""],"properties":{"x":null,"expression":{"type":[]}}}}}]}`,
		`{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":1},null,2]}],"tool_choice":{"function":1}}`,
		`{"model":"m","messages":[{"role":"user","content":"1-1)"}],"tools":[{"function":{"name":"x","parameters":
			{"required":["a"],"properties":{"a":{"enum":[{"b": 1}]}}}}}],"tool_choice":"required"}`,
	} {
		f.Add([]byte(body))
	}
	p := newProfile(Config{Behaviour: "echo"})
	f.Fuzz(func(t *testing.T, body []byte) {
		req, a := parseRequest(body)
		if a == nil {
			a = p.behave(req)
		}
		for _, call := range a.ToolCalls {
			require.True(t, json.Valid([]byte(call.Arguments)), call.Arguments)
		}
		if req != nil {
			const text = "no JSON"
			answer := structured(req.ResponseFormat, text)
			require.True(t, answer == text || json.Valid([]byte(answer)), answer)
		}
		answer := a.body(req, "id")
		require.True(t, json.Valid(answer), "%s", answer)
	})
}

func FuzzEmbeddingsAreJSON(f *testing.F) {
	for _, body := range []string{
		`{"model":"m","input":"a"}`, `{"model":"m","input":["a",null,1,{}],"dimensions":3}`, `{"model":"m","input":[ 1]}`,
		`{"model":"m","input":[[1]],"encoding_format":"base64"}`, `null`, `{"input":[]}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		req, a := parseEmbeddings(body)
		if a == nil {
			a = &Answer{}
		}
		answer := a.body(req, "id")
		require.True(t, json.Valid(answer), "%s", answer)
	})
}

func FuzzParseModelAcceptsWhatAServerTakes(f *testing.F) {
	for _, name := range []string{"echo", "", "?", "flaky?latency=20ms&rpm=1&burst=2", "echo?error_rate=1e-3&jitter=Inf"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		cfg, err := ParseModel(name)
		if err == nil {
			cfg = cfg.withDefaults()
			require.NoError(t, cfg.validate())
		}
	})
}
