package batch_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// benchmarkLines are believable lines of a file of requests, about 400 bytes each.
var benchmarkLines = map[string]string{
	"prompt": `{"id":"ticket-004711","user_message":"` + strings.Repeat("Classify this ticket, please. ", 9) +
		`","model":"openai:gpt-4o-mini","metadata":{"row":4711,"team":"billing"}}`,
	"chat": `{"id":"ticket-004711","messages":[{"role":"system","content":"You sort tickets.\nAnswer with one word."},` +
		`{"role":"user","content":"` + strings.Repeat("My invoice is \\\"wrong\\\". ", 8) + `"}],` +
		`"params":{"temperature":0,"max_tokens":100,"seed":7},"metadata":{"row":4711,"team":"billing"}}`,
	"tools": `{"id":"ticket-004711","messages":[{"role":"user","content":"How warm is it in Paris?"}],"tools":[{"type":"function",` +
		`"function":{"name":"weather","description":"Tells the weather","parameters":{"type":"object","properties":` +
		`{"city":{"type":"string"},"unit":{"type":"string","enum":["c","f"]}},"required":["city"]}}},"calculate"],` +
		`"params":{"temperature":0.5},"timeout":30}`,
}

func BenchmarkReadRequest(b *testing.B) {
	for name, line := range benchmarkLines {
		b.Run(name, func(b *testing.B) {
			data := []byte(line)
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				var r batch.Request
				if err := r.UnmarshalJSON(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkFingerprint(b *testing.B) {
	for name, line := range benchmarkLines {
		b.Run(name, func(b *testing.B) {
			var r batch.Request
			if err := r.UnmarshalJSON([]byte(line)); err != nil {
				b.Fatal(err)
			}
			if r.Messages == nil {
				r.Messages = []batch.Message{batch.SystemMessage("Be brief."), batch.UserMessage(r.UserMessage)}
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := batch.Fingerprint(&r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func benchmarkResult() batch.Result {
	return batch.Result{
		ID: "ticket-004711", Index: 4711, Success: true, Response: strings.Repeat("It is about an \"invoice\".\nSo: billing. ", 20),
		TokensUsed: &batch.TokenUsage{Prompt: 120, Completion: 220, Total: 340}, Model: "gpt-4o-mini-2024-07-18",
		Metadata:    map[string]any{"row": json.Number("4711"), "team": "billing", "score": 0.5},
		ElapsedTime: 1234567890 * time.Nanosecond, FinishReason: "stop", Attempts: 1,
		Fingerprint: "v1:4603e520c93d83ae9dba32ced8e75428",
	}
}

func BenchmarkAppendResult(b *testing.B) {
	cost := 0.000123
	plain, priced := benchmarkResult(), benchmarkResult()
	priced.CostUSD = &cost
	priced.StructuredOutput = json.RawMessage(`{"team":"billing","why":"an invoice is named","score":0.5}`)
	for name, r := range map[string]batch.Result{"text": plain, "structured": priced} {
		b.Run(name, func(b *testing.B) {
			var line []byte
			b.ReportAllocs()
			for b.Loop() {
				var err error
				if line, err = r.AppendJSON(line[:0]); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(int64(len(line)))
		})
	}
}

func BenchmarkReadResult(b *testing.B) {
	r := benchmarkResult()
	line, err := r.AppendJSON(nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		if err := r.UnmarshalJSON(line); err != nil {
			b.Fatal(err)
		}
	}
}
