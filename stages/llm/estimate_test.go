package llm_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

func ExampleEstimateTokens() {
	call := &llm.Call{
		Messages: []batch.Message{batch.UserMessage("What is the capital of France?")},
		Params:   map[string]any{"max_tokens": 100},
	}
	fmt.Println(llm.EstimateTokens(call))
	// Output: 112
}

func TestEstimateCountsEverythingThatIsSent(t *testing.T) {
	long := strings.Repeat("x", 4000)
	tests := map[string]llm.Call{
		"a text":            {Messages: []batch.Message{batch.UserMessage(long)}},
		"parts":             {Messages: []batch.Message{{Content: json.RawMessage(`[{"type":"text","text":"` + long + `"}]`)}}},
		"tool calls":        {Messages: []batch.Message{{ToolCalls: []batch.ToolCall{{Arguments: long}}}}},
		"unknown fields":    {Messages: []batch.Message{{Extra: map[string]json.RawMessage{"reasoning": json.RawMessage(long)}}}},
		"a tool":            {Tools: []batch.Tool{{Name: "f", Description: long}}},
		"a tool's schema":   {Tools: []batch.Tool{{Name: "f", Parameters: json.RawMessage(long)}}},
		"a raw tool":        {Tools: []batch.Tool{{Raw: json.RawMessage(long)}}},
		"a response format": {ResponseFormat: []byte(long)},
	}
	for name, call := range tests {
		t.Run(name, func(t *testing.T) {
			require.InDelta(t, 1000, llm.EstimateTokens(&call), 15)
		})
	}
}

func TestEstimateAddsWhatTheCompletionMayUse(t *testing.T) {
	tests := []struct {
		params map[string]any
		want   int
	}{
		{map[string]any{"max_tokens": 500}, 500},
		{map[string]any{"max_tokens": int64(500)}, 500},
		{map[string]any{"max_tokens": 5e6}, 5_000_000},
		{map[string]any{"max_tokens": json.Number("500")}, 500},
		{map[string]any{"max_tokens": json.RawMessage(" 500 ")}, 500},
		{map[string]any{"max_completion_tokens": json.RawMessage("700"), "max_tokens": json.RawMessage("500")}, 700},
		{map[string]any{"max_tokens": json.RawMessage("null")}, 0},
		{map[string]any{"max_tokens": json.RawMessage(`"many"`)}, 0},
		{map[string]any{"max_tokens": -5}, 0},
		{map[string]any{"max_tokens": "NaN"}, 0},
		{map[string]any{"max_tokens": 1e300}, 1<<31 - 1},
		{nil, 0},
	}
	for _, test := range tests {
		require.Equal(t, test.want, llm.EstimateTokens(&llm.Call{Params: test.params}), "%v", test.params)
	}
}

func TestEstimateDoesNotCountTheBytesOfAnImage(t *testing.T) {
	image := `{"type":"image_url","image_url":{"url":"data:image/png;base64,` + strings.Repeat("A", 1<<20) + `"}}`
	call := &llm.Call{Messages: []batch.Message{{Role: "user", Content: json.RawMessage("[" + image + "," + image + "]")}}}
	require.InDelta(t, 2000, llm.EstimateTokens(call), 100)
}

func FuzzEstimateTokens(f *testing.F) {
	f.Add([]byte(`"hello"`), []byte("100"))
	f.Add([]byte(`[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]`), []byte("1e3"))
	f.Add([]byte(`[";base64,`), []byte("-Inf"))
	f.Fuzz(func(t *testing.T, content, maxTokens []byte) {
		n := llm.EstimateTokens(&llm.Call{
			Messages: []batch.Message{{Content: content}},
			Params:   map[string]any{"max_tokens": json.RawMessage(maxTokens)},
		})
		if n < 0 {
			t.Errorf("negative estimate %d", n)
		}
	})
}
