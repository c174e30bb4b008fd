package llm

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// benchmarkAnswers are believable answers, the first of about 900 bytes.
var benchmarkAnswers = map[string]string{
	"text": `{"id":"chatcmpl-BxYz0123456789abcdefghijklm","object":"chat.completion","created":1753459200,"model":` +
		`"gpt-4o-mini-2024-07-18","choices":[{"index":0,"message":{"role":"assistant","content":"` +
		strings.Repeat(`The capital of \"France\" is Paris.\n`, 10) + `","refusal":null,"annotations":[]},"logprobs":null,` +
		`"finish_reason":"stop"}],"usage":{"prompt_tokens":19,"completion_tokens":80,"total_tokens":99,"prompt_tokens_details":` +
		`{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}},` +
		`"service_tier":"default","system_fingerprint":"fp_34a54ae93c"}`,
	"tool": `{"id":"chatcmpl-1","model":"gpt-4o-mini","choices":[{"index":0,"message":{"role":"assistant","content":null,` +
		`"tool_calls":[{"id":"call_1","type":"function","function":{"name":"now","arguments":"{\"timezone\":\"UTC\"}"}}]},` +
		`"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":19,"completion_tokens":8,"total_tokens":27}}`,
}

func BenchmarkDecodeAnswer(b *testing.B) {
	for name, body := range benchmarkAnswers {
		b.Run(name, func(b *testing.B) {
			client, call, data := &Client{}, &Call{}, []byte(body)
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, err := client.decode(call, 200, data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendBody(b *testing.B) {
	chat := &Call{
		Model: "openai:gpt-4o-mini",
		Messages: []batch.Message{
			batch.SystemMessage("You sort tickets.\nAnswer with one word."),
			batch.UserMessage(strings.Repeat("My invoice is \"wrong\". ", 10)),
		},
		Params: map[string]any{"temperature": 0.5, "max_tokens": 100, "seed": 7},
	}
	tools := *chat
	tools.Tools = []batch.Tool{{Name: "weather", Description: "Tells the weather", Parameters: []byte(
		`{"type":"object","properties":{"city":{"type":"string"},"unit":{"type":"string","enum":["c","f"]}},"required":["city"]}`)}}
	for name, call := range map[string]*Call{"chat": chat, "tools": &tools} {
		b.Run(name, func(b *testing.B) {
			var body []byte
			b.ReportAllocs()
			for b.Loop() {
				var err error
				if body, err = AppendBody(body[:0], call); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(int64(len(body)))
		})
	}
}

func BenchmarkReadHeader(b *testing.B) {
	plain := http.Header{
		"Content-Type": {"application/json"}, "Content-Length": {"912"}, "Date": {"Sun, 01 Mar 2026 12:00:00 GMT"},
		"X-Request-Id": {"req_0123456789abcdef0123456789abcdef"},
	}
	limits := plain.Clone()
	for name, value := range map[string]string{
		"X-Ratelimit-Limit-Requests": "10000", "X-Ratelimit-Remaining-Requests": "9999", "X-Ratelimit-Reset-Requests": "6ms",
		"X-Ratelimit-Limit-Tokens": "200000", "X-Ratelimit-Remaining-Tokens": "199000", "X-Ratelimit-Reset-Tokens": "300ms",
	} {
		limits.Set(name, value)
	}
	hidden := newSecrets("sk-0123456789abcdef0123456789abcdef")
	now := time.Now()
	for name, h := range map[string]http.Header{"plain": plain, "limits": limits} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				hidden.requestIDs(h)
				readHeader(h, now)
			}
		})
	}
}

func BenchmarkEstimateTokens(b *testing.B) {
	call := &Call{
		Messages: []batch.Message{batch.UserMessage(strings.Repeat("My invoice is \"wrong\". ", 10))},
		Params:   map[string]any{"temperature": 0.5, "max_tokens": 100},
	}
	b.ReportAllocs()
	for b.Loop() {
		EstimateTokens(call)
	}
}
