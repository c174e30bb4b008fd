package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

// stream runs messages through a pipeline of Redpanda Connect and returns what comes out, by id.
func stream(t *testing.T, pipeline string, messages ...string) map[string]map[string]any {
	t.Helper()
	env := service.NewEnvironment()
	require.NoError(t, register(env))
	builder := env.NewStreamBuilder()
	require.NoError(t, builder.SetLoggerYAML("level: NONE"))
	require.NoError(t, builder.AddProcessorYAML(pipeline))
	produce, err := builder.AddBatchProducerFunc()
	require.NoError(t, err)
	got := map[string]map[string]any{}
	require.NoError(t, builder.AddConsumerFunc(func(_ context.Context, m *service.Message) error {
		content, err := m.AsBytes()
		if err != nil {
			return err
		}
		var object map[string]any
		if err := json.Unmarshal(content, &object); err != nil {
			return fmt.Errorf("%s: %w", content, err)
		}
		got[object["id"].(string)] = object
		return nil
	}))
	s, err := builder.Build()
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- s.Run(t.Context()) }()
	var all service.MessageBatch
	for _, m := range messages {
		all = append(all, service.NewMessage([]byte(m)))
	}
	require.NoError(t, produce(t.Context(), all))
	require.NoError(t, s.StopWithin(30*time.Second))
	<-done
	return got
}

const classify = `
branch:
  processors:
    - gluepipe:
        model: openai:any
        base_url: %s
        prompt: '${! json("question") }'
        tools: [calculate]
        max_attempts: 2
  result_map: |
    root.answer = content().string()
    root.calls = metadata("gluepipe_tool_calls")
    root.attempts = metadata("gluepipe_attempts")
`

func TestMessagesAreAnsweredWithTools(t *testing.T) {
	server := llmtest.New(t, llmtest.Config{})
	got := stream(t, fmt.Sprintf(classify, server.BaseURL()),
		`{"id": "a", "question": "What is 123 * 456?"}`, `{"id": "b", "question": "Hello"}`)
	require.Contains(t, got["a"]["answer"], "56088")
	require.EqualValues(t, 1, got["a"]["calls"])
	require.Equal(t, "Hello", got["b"]["answer"])
}

func TestWhatFailsForAMomentIsTriedAgain(t *testing.T) {
	var calls atomic.Int64
	server := llmtest.New(t, llmtest.Config{Respond: func(*llmtest.Request) *llmtest.Answer {
		if calls.Add(1) == 1 {
			return &llmtest.Answer{Status: 503}
		}
		return nil
	}})
	got := stream(t, fmt.Sprintf(classify, server.BaseURL()), `{"id": "a", "question": "Hello"}`)
	require.Equal(t, "Hello", got["a"]["answer"])
	require.EqualValues(t, 2, got["a"]["attempts"])
}

func TestAMessageThatFailsIsMarkedAndTheOthersGoOn(t *testing.T) {
	server := llmtest.New(t, llmtest.Config{Respond: func(r *llmtest.Request) *llmtest.Answer {
		if r.Prompt() == "bad" {
			return &llmtest.Answer{Status: 400}
		}
		return nil
	}})
	got := stream(t, fmt.Sprintf(classify, server.BaseURL()), `{"id": "a", "question": "bad"}`, `{"id": "b", "question": "good"}`)
	require.NotContains(t, got["a"], "answer", "a failed message keeps its content")
	require.Equal(t, "good", got["b"]["answer"])
}
