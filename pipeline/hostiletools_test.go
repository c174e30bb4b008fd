package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

func TestAGoFunctionThatGoesWrongCostsItsCallAloneAndLittleMemory(t *testing.T) {
	const huge, repeat = 100 << 20, 3
	type outcome struct {
		text string // a part of the result
		err  bool
	}
	functions := map[string]func(ctx context.Context, arguments json.RawMessage) (string, error){
		"panic": func(context.Context, json.RawMessage) (string, error) { panic("out of order") },
		"hang":  func(ctx context.Context, _ json.RawMessage) (string, error) { <-ctx.Done(); return "", ctx.Err() },
		"huge":  func(context.Context, json.RawMessage) (string, error) { return strings.Repeat("x", huge), nil },
		"wail": func(context.Context, json.RawMessage) (string, error) {
			return "", errors.New(strings.Repeat("x", huge))
		},
		"garble": func(context.Context, json.RawMessage) (string, error) { return "before \xff\xfe\x00 after", nil },
		"leave":  func(context.Context, json.RawMessage) (string, error) { runtime.Goexit(); return "", nil },
	}
	wants := map[string]outcome{
		"panic":  {"the tool panicked: out of order", true},
		"hang":   {"timed out after 50ms", true},
		"huge":   {"[cut: the first ", false},
		"wail":   {"error: xxxxx", true},
		"garble": {"before \uFFFD\x00 after", false},
		"leave":  {"error: the tool did not return", true},
	}
	var tools []batch.Tool
	var requests []batch.Request
	for name, call := range functions {
		t := batch.Tool{Name: name, Call: call}
		if name == "hang" {
			t.Timeout = 50 * time.Millisecond
		}
		tools = append(tools, t)
		for range repeat {
			requests = append(requests, batch.Request{UserMessage: name})
		}
	}
	server := llmtest.New(t, llmtest.Config{Respond: func(r *llmtest.Request) *llmtest.Answer {
		if len(r.ToolResults()) == 0 {
			return llmtest.Call(r.Prompt(), "{}")
		}
		return nil
	}})
	p := newProcessor(t, &Config{Model: "openai:m", BaseURL: server.BaseURL(), Tools: tools, MaxConcurrent: 2})
	before := heap()
	response, err := p.Process(t.Context(), requests)
	require.NoError(t, err)
	grown := int64(heap()) - int64(before) // while the response is held
	require.Equal(t, len(requests), response.SuccessfulRequests)
	for _, r := range response.Results {
		require.Len(t, r.ToolExecutionHistory, 1)
		got := r.ToolExecutionHistory[0]
		want := wants[got.ToolName]
		require.Equal(t, want.err, got.Error, got.ToolName)
		require.Contains(t, got.Result, want.text)
		require.True(t, utf8.ValidString(got.Result), got.ToolName)
		require.LessOrEqual(t, len(got.Result), 257<<10)
		if got.ToolName == "huge" {
			require.EqualValues(t, huge, got.ResultBytes)
		}
	}
	require.Less(t, grown, int64(50<<20), "bytes of heap")
}

// heap returns the bytes in use after a collection.
func heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
