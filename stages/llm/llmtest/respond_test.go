package llmtest_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

func TestRespondSeesTheRequest(t *testing.T) {
	var seen llmtest.Request
	_, client := start(t, llmtest.Config{Respond: func(r *llmtest.Request) *llmtest.Answer {
		seen = *r
		return nil
	}})
	body := `{"model":"m","messages":[{"role":"user","content":"hi"},
		{"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":{"name":"now","arguments":"{}"}}]},
		{"role":"tool","tool_call_id":"c1","content":"noon"}],
		"tools":[{"type":"function","function":{"name":"now","description":"tells the time","parameters":{"type":"object"}}}],
		"tool_choice":"auto"}`
	a, err := client.post(body, "Authorization", "Bearer key")
	require.NoError(t, err)
	require.Equal(t, "noon", *a.completion(t).Choices[0].Message.Content, "nil is the default answer")

	require.Equal(t, "m", seen.Model)
	require.Equal(t, "hi", seen.Prompt())
	require.Equal(t, []string{"noon"}, seen.ToolResults())
	require.Equal(t, []llmtest.ToolCall{{ID: "c1", Name: "now", Arguments: "{}"}}, seen.Messages[1].ToolCalls)
	require.Equal(t, "c1", seen.Messages[2].ToolCallID)
	require.Equal(t, "now", seen.Tools[0].Name)
	require.Equal(t, "tells the time", seen.Tools[0].Description)
	require.JSONEq(t, `{"type":"object"}`, string(seen.Tools[0].Parameters))
	require.JSONEq(t, `"auto"`, string(seen.ToolChoice))
	require.Equal(t, "Bearer key", seen.Header.Get("Authorization"))
	require.Equal(t, body, string(seen.Body))
	require.Equal(t, 1, seen.Attempt)
	require.Error(t, seen.Context().Err(), "the request is over")
}

func TestAnAnswersFieldsReachTheClient(t *testing.T) {
	_, client := start(t, llmtest.Config{Latency: time.Hour, Respond: llmtest.Sequence(&llmtest.Answer{
		Content: "some", FinishReason: "content_filter", Usage: &llmtest.Usage{Prompt: 3, Completion: 4},
		Header:    http.Header{"X-Extra": {"1"}},
		ToolCalls: []llmtest.ToolCall{{ID: "mine", Name: "f", Arguments: "not JSON"}, {Name: "g"}},
		Delay:     -1,
	})})
	a, err := client.post(hello)
	require.NoError(t, err)
	require.Equal(t, "1", a.header.Get("X-Extra"))
	c := a.completion(t)
	require.Equal(t, "some", *c.Choices[0].Message.Content)
	require.Equal(t, "content_filter", c.Choices[0].FinishReason)
	require.Equal(t, 7, c.Usage.TotalTokens)
	calls := c.Choices[0].Message.ToolCalls
	require.Equal(t, "mine", calls[0].ID)
	require.Equal(t, "not JSON", calls[0].Function.Arguments)
	require.NotEmpty(t, calls[1].ID)
	require.Empty(t, calls[1].Function.Arguments)
}

func TestAnEmptyAnswerHasAnEmptyContent(t *testing.T) {
	_, client := start(t, always(&llmtest.Answer{}))
	require.Empty(t, *client.ask("m", "hi").completion(t).Choices[0].Message.Content)
}

func TestSequenceGivesAnswersInTurnThenTheDefault(t *testing.T) {
	_, client := start(t, llmtest.Config{Respond: llmtest.Sequence(llmtest.Text("one"), nil, llmtest.Text("three"))})
	for _, want := range []string{"one", "hi", "three", "hi"} {
		require.Equal(t, want, *client.ask("m", "hi").completion(t).Choices[0].Message.Content)
	}
}

func TestByAttemptGivesEachPromptItsOwnAnswers(t *testing.T) {
	srv, client := start(t, llmtest.Config{Respond: llmtest.ByAttempt(llmtest.Error(503, "", "busy"), llmtest.Text("second"))})
	require.Equal(t, 503, client.ask("m", "a").status)
	require.Equal(t, 503, client.ask("m", "b").status)
	require.Equal(t, "second", *client.ask("m", "a").completion(t).Choices[0].Message.Content)
	require.Equal(t, "a", *client.ask("m", "a").completion(t).Choices[0].Message.Content)
	require.Equal(t, 3, srv.Attempts("a"))
}

func TestARespondThatPanicsIsA500(t *testing.T) {
	srv, client := start(t, llmtest.Config{Respond: func(*llmtest.Request) *llmtest.Answer { panic("oops") }})
	a := client.ask("m", "hi")
	require.Equal(t, 500, a.status)
	require.Contains(t, a.completion(t).Error.Message, "oops")
	require.Zero(t, srv.Stats().InFlight)
}
