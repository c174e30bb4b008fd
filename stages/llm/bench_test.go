package llm

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// canned answers every request at once, without a network.
type canned struct{ body string }

func (c canned) Do(req *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, req.Body)
	return &http.Response{
		StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(c.body)),
	}, nil
}

// BenchmarkCall is what one call costs beside the network: writing the body, reading the answer.
func BenchmarkCall(b *testing.B) {
	answers := map[string]string{
		"text": `{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-4o-mini","choices":[{"index":0,"message":` +
			`{"role":"assistant","content":"The capital of France is Paris.","refusal":null},"logprobs":null,"finish_reason":"stop"}],` +
			`"usage":{"prompt_tokens":19,"completion_tokens":8,"total_tokens":27,"prompt_tokens_details":{"cached_tokens":0}}}`,
		"tool": `{"id":"chatcmpl-1","model":"gpt-4o-mini","choices":[{"index":0,"message":{"role":"assistant","content":null,` +
			`"tool_calls":[{"id":"call_1","type":"function","function":{"name":"now","arguments":"{}"}}]},"finish_reason":"tool_calls"}],` +
			`"usage":{"prompt_tokens":19,"completion_tokens":8,"total_tokens":27}}`,
	}
	for name, body := range answers {
		b.Run(name, func(b *testing.B) {
			client, err := NewClient(ClientConfig{BaseURL: "http://localhost/v1", APIKey: "sk-1", HTTPClient: canned{body}})
			if err != nil {
				b.Fatal(err)
			}
			call := &Call{
				Model:    "gpt-4o-mini",
				Messages: []batch.Message{batch.SystemMessage("Be brief."), batch.UserMessage("What is the capital of France?")},
				Params:   map[string]any{"temperature": 0, "max_tokens": 100},
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := client.Complete(b.Context(), call); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
