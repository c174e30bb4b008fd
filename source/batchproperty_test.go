package source_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

// anyJSON draws a JSON value, as it may be written.
func anyJSON(depth int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		kind := rapid.IntRange(0, 6).Draw(t, "kind")
		switch {
		case kind == 0 && depth > 0:
			return "[ " + strings.Join(rapid.SliceOfN(anyJSON(depth-1), 0, 3).Draw(t, "list"), " ,") + "]"
		case kind == 1 && depth > 0:
			return anyObject(depth-1, anyText()).Draw(t, "object")
		case kind == 2:
			return jsonText(rapid.String().Draw(t, "text"))
		}
		return rapid.SampledFrom([]string{
			"null", "true", "false", "0", "-0.0", "1e400", "12345678901234567890.10", "\"\\u003c<&\u2028\"", `""`, "{ }", "[]",
		}).Draw(t, "value")
	})
}

func anyText() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string { return rapid.StringN(0, 5, 20).Draw(t, "name") })
}

func anyObject(depth int, names *rapid.Generator[string]) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		members := rapid.MapOfN(names, anyJSON(depth), 0, 4).Draw(t, "members")
		return joinMembers(members)
	})
}

func joinMembers(members map[string]string) string {
	var all []string
	for name, value := range members {
		all = append(all, jsonText(name)+": "+value)
	}
	return "{" + strings.Join(all, ", ") + "}"
}

func jsonText(text string) string { return string(batch.Text(text)) }

// anyMessage draws a message as chats have them, with fields that nobody knows.
func anyMessage() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		unknown := rapid.SampledFrom([]string{"x", "refusal", "reasoning_content", "audio", "cache_control"})
		message := rapid.MapOfN(unknown, anyJSON(2), 0, 3).Draw(t, "unknown fields")
		message["role"] = jsonText(rapid.SampledFrom([]string{"system", "user", "assistant", "tool"}).Draw(t, "role"))
		if rapid.Bool().Draw(t, "has content") {
			message["content"] = anyJSON(3).Draw(t, "content")
		}
		if rapid.Bool().Draw(t, "has tool calls") {
			arguments := jsonText(rapid.String().Draw(t, "arguments"))
			message["tool_calls"] = `[{"id":"c","type":"function","function":{"name":"f","arguments":` + arguments + `},"x":1}]`
		}
		return joinMembers(message)
	})
}

// TestABodyIsSentAsItWasWritten is the round trip of any body: file, request, wire.
func TestABodyIsSentAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SampledFrom([]string{"temperature", "top_k", "n", "seed", "stop", "tool_choice", "metadata", "x", "", "ü"})
		body := rapid.MapOfN(names, anyJSON(3), 0, 5).Draw(t, "params")
		body["messages"] = "[" + strings.Join(rapid.SliceOfN(anyMessage(), 0, 4).Draw(t, "messages"), ",") + "]"
		body["model"] = jsonText("m" + rapid.String().Draw(t, "model"))
		if rapid.Bool().Draw(t, "has tools") {
			body["tools"] = `[{"type":"function","function":{"name":"f","x":` + anyJSON(2).Draw(t, "tool") + `}},{"type":"web_search"}]`
		}
		if rapid.Bool().Draw(t, "has a format") {
			body["response_format"] = anyJSON(2).Draw(t, "format")
		}
		written := joinMembers(body)
		src := source.Batch(strings.NewReader(`{"custom_id":"a","body":`+written+`}`), source.BatchOptions{Provider: "mock"})
		item, err := src.Next(t.Context())
		require.NoError(t, err)
		require.NotNil(t, item.Request, "%v", item.Result)
		r := item.Request
		sent, err := llm.AppendBody(nil, &llm.Call{
			Model: r.Model, Messages: r.Messages, Tools: r.Tools, ResponseFormat: r.ResponseFormat, Params: r.Params,
		})
		require.NoError(t, err)
		require.Equal(t, decoded(t, written), decoded(t, string(sent)))
	})
}

func decoded(t require.TestingT, text string) any {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var v any
	require.NoError(t, dec.Decode(&v))
	return v
}

// FuzzABatchLineIsAnItem says that each line that isn't blank is one item, with its number, whatever stands in it, and that
// what is sent of it is JSON.
func FuzzABatchLineIsAnItem(f *testing.F) {
	for _, seed := range linesOnDisk {
		f.Add([]byte(seed))
	}
	for _, seed := range []string{
		`{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"user","content":"a"}]}}`,
		`{"custom_id":"a","url":"https://h/v1/embeddings?a=b","body":{"model":"m","input":["a"],"x":null}}`,
		`{"body":{"messages":[],"tools":null,"response_format":null,"stream":true}}` + "\n" + `{"body":{"messages":[]}}`,
		`{"body":{"messages":[],"tools":["a",{"type":"x"},{"function":{"name":"f"}}],"stream_options":1}}`, `{"url":"%zz","body":{}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		src := source.Batch(bytes.NewReader(input), source.BatchOptions{MaxLineBytes: 256, Provider: "p"})
		slow := source.Batch(iotest.OneByteReader(bytes.NewReader(input)), source.BatchOptions{MaxLineBytes: 256, Provider: "p"})
		lines := bytes.Split(bytes.TrimPrefix(input, []byte("\uFEFF")), []byte("\n"))
		for i, line := range lines {
			if i < len(lines)-1 {
				line = bytes.TrimSuffix(line, []byte("\r"))
			}
			if len(bytes.TrimSpace(line)) == 0 && len(line) <= 256 {
				continue
			}
			item := next(t, src)
			require.Equal(t, fmt.Sprintf("line %d", i+1), item.Origin)
			requireSame(t, item, next(t, slow))
			if item.Result != nil {
				require.Equal(t, batch.ErrInvalidRequest, item.Result.ErrorType)
				require.NotEmpty(t, item.Result.ID)
				require.NotEmpty(t, item.Result.Fingerprint)
				require.True(t, utf8.ValidString(item.Result.Error))
				require.Less(t, len(item.Result.Error), 1000)
				continue
			}
			r := item.Request
			require.NotEmpty(t, r.ID)
			if r.Input != nil {
				require.True(t, json.Valid(r.Input))
				continue
			}
			body, err := llm.AppendBody(nil, &llm.Call{Messages: r.Messages, Tools: r.Tools, ResponseFormat: r.ResponseFormat, Params: r.Params})
			require.NoError(t, err)
			require.True(t, json.Valid(body))
		}
		_, err := src.Next(t.Context())
		require.Equal(t, io.EOF, err)
	})
}

func BenchmarkBatch(b *testing.B) {
	line := []byte(`{"custom_id":"request-123456","method":"POST","url":"/v1/chat/completions","body":{"model":"gpt-4o-mini",` +
		`"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"` +
		strings.Repeat("What is the capital of France? ", 10) + `"}],"max_tokens":100,"temperature":0}}` + "\n")
	src := source.Batch(&repeated{line: line}, source.BatchOptions{})
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		item, err := src.Next(b.Context())
		if err != nil || item.Result != nil {
			b.Fatal(item, err)
		}
	}
}
