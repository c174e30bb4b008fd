package llmtest_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

type completion struct {
	ID, Object, Model string
	Choices           []struct {
		Message struct {
			Role      string
			Content   *string
			Refusal   *string
			ToolCalls []struct {
				ID, Type string
				Function struct{ Name, Arguments string }
			} `json:"tool_calls"`
		}
		FinishReason string `json:"finish_reason"`
	}
	Usage struct {
		PromptTokens     int `json:"prompt_tokens"`
		CompletionTokens int `json:"completion_tokens"`
		TotalTokens      int `json:"total_tokens"`
	}
	Error *struct{ Message, Type, Param, Code string }
}

func (a answer) completion(t *testing.T) completion {
	t.Helper()
	var c completion
	require.NoError(t, json.Unmarshal([]byte(a.body), &c), a.body)
	return c
}

func TestServerEchoesTheLastUserMessage(t *testing.T) {
	_, client := start(t, llmtest.Config{})
	a, err := client.post(`{"model":"gpt-4o-mini","messages":[
		{"role":"system","content":"Be brief."},
		{"role":"user","content":"first"},
		{"role":"assistant","content":"yes"},
		{"role":"user","content":"Grüße, \"Welt\"\n"}],"temperature":0,"unheard_of":{"a":1}}`)
	require.NoError(t, err)
	require.Equal(t, 200, a.status)
	require.Equal(t, "application/json", a.header.Get("Content-Type"))
	require.Regexp(t, `^req_\w+$`, a.header.Get("X-Request-Id"))

	c := a.completion(t)
	require.Regexp(t, `^chatcmpl-\w+$`, c.ID)
	require.Equal(t, "chat.completion", c.Object)
	require.Equal(t, "gpt-4o-mini", c.Model)
	require.Len(t, c.Choices, 1)
	require.Equal(t, "assistant", c.Choices[0].Message.Role)
	require.Equal(t, "Grüße, \"Welt\"\n", *c.Choices[0].Message.Content)
	require.Equal(t, "stop", c.Choices[0].FinishReason)
	require.Equal(t, 8, c.Usage.PromptTokens, "9+5+3+14 characters, by four")
	require.Equal(t, 4, c.Usage.CompletionTokens)
	require.Equal(t, 12, c.Usage.TotalTokens)
}
