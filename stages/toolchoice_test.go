package stages_test

import (
	"encoding/json"
	"testing"

	"github.com/sashabaranov/go-openai"
	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestAToolChoiceThatForcesIsOnlyForTheFirstTurn(t *testing.T) {
	const same = "the same"
	for written, want := range map[string]string{
		`"required"`: "",
		`"any"`:      "",
		`{"type":"function","function":{"name":"ping"}}`:                                         "",
		`{"type":"allowed_tools","mode":"required","tools":[1]}`:                                 `{"type":"allowed_tools","mode":"auto","tools":[1]}`,
		`{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"x"}]}}`:    `{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"x"}]}}`,
		`{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"function"}]}}`: same,
		`"auto"`:            same,
		`"none"`:            same,
		`null`:              same,
		`{"type":"auto"}`:   same,
		`7`:                 same,
		`{"type":"none"}`:   same,
		`{"type":"custom"}`: "",
	} {
		t.Run(written, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := turns(wants(toolCall("1", "ping", "{}")), wants(toolCall("2", "ping", "{}")))
				given := map[string]any{"tool_choice": json.RawMessage(written), "parallel_tool_calls": false, "seed": 7}
				r := executeOne(t, executor(m, 1), stages.Defaults{Tools: runTools(), Params: given})
				require.True(t, r.Success)
				require.Len(t, given, 3, "the caller's params are left alone")
				calls := m.asked("")
				require.Len(t, calls, 3)
				require.Equal(t, json.RawMessage(written), calls[0].Params["tool_choice"])
				for _, later := range calls[1:] {
					require.Equal(t, false, later.Params["parallel_tool_calls"])
					require.Equal(t, 7, later.Params["seed"])
					switch choice, ok := later.Params["tool_choice"]; want {
					case "":
						require.False(t, ok)
					case same:
						require.Equal(t, json.RawMessage(written), choice)
					default:
						require.JSONEq(t, want, string(choice.(json.RawMessage)))
					}
				}
			})
		})
	}
}

func TestAToolChoiceThatIsAGoValueIsUnderstood(t *testing.T) {
	for _, choice := range []any{
		"required",
		openai.ToolChoice{Type: "function", Function: openai.ToolFunction{Name: "ping"}},
		map[string]any{"type": "function"},
	} {
		bubble(t, func(t *testing.T) {
			m := turns(wants(toolCall("1", "ping", "{}")))
			executeOne(t, executor(m, 1), stages.Defaults{Tools: runTools(), Params: map[string]any{"tool_choice": choice}})
			calls := m.asked("")
			require.Equal(t, choice, calls[0].Params["tool_choice"])
			require.NotContains(t, calls[1].Params, "tool_choice")
		})
	}
}

func TestAToolChoiceIsSentAsItIsWhereToolsAreNotExecuted(t *testing.T) {
	bubble(t, func(t *testing.T) {
		no := false
		m := turns(wants(toolCall("1", "ping", "{}")))
		items := []*batch.Item{{Request: &batch.Request{
			UserMessage: "a", ExecuteTools: &no, Params: map[string]any{"tool_choice": "required"},
		}}}
		mustRun(t.Context(), t, items, stages.Validate(stages.Defaults{Tools: runTools()}), stages.Execute(executor(m, 1)))
		require.Equal(t, "required", m.asked("")[0].Params["tool_choice"])
		require.Len(t, items[0].Result.ToolCalls, 1)
	})
}

func TestARetryOfTheFirstTurnForcesTheToolAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := failing(1)
		items := asking("a")
		items[0].Request.Params = map[string]any{"tool_choice": "required"}
		tried(t.Context(), t, m, stages.RetryPolicy{MaxAttempts: 2}, items)
		calls := m.asked("")
		require.Len(t, calls, 2)
		require.Equal(t, "required", calls[1].Params["tool_choice"])
	})
}
