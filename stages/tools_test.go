package stages_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

// answering is the code of a tool that always says the same.
func answering(text string) func(context.Context, json.RawMessage) (string, error) {
	return func(context.Context, json.RawMessage) (string, error) { return text, nil }
}

// sleeping is the code of a tool that takes its time, or until its context ends.
func sleeping(d time.Duration, text string) func(context.Context, json.RawMessage) (string, error) {
	return func(ctx context.Context, _ json.RawMessage) (string, error) {
		select {
		case <-time.After(d):
			return text, nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

func toolNames(tools []batch.Tool) []string {
	names := make([]string, len(tools))
	for i, t := range tools {
		names[i] = t.Name
	}
	return names
}

// turns is a model that gives one answer after the other, and at last says "done".
func turns(answers ...*llm.Answer) *model {
	return &model{answer: func(n int, _ string, _ *llm.Call) (*llm.Answer, error) {
		if n <= len(answers) {
			return answers[n-1], nil
		}
		return says("done"), nil
	}}
}

// restless is a model that never stops asking for a tool.
func restless() *model {
	return &model{answer: func(n int, _ string, _ *llm.Call) (*llm.Answer, error) {
		return wants(toolCall(fmt.Sprint(n), "ping", "{}")), nil
	}}
}

func TestToolCallsOfATurnRunSideBySideAndAnswerInOrder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		asks := wants(toolCall("1", "slow", `{"x": 1}`), toolCall("2", "quick", "null"), toolCall("3", "slow", ""))
		asks.Message.Extra = map[string]json.RawMessage{"reasoning": json.RawMessage(`"hm"`)}
		m := turns(asks, wants(toolCall("4", "quick", `{}`)))
		r := executeOne(t, executor(m, 1), stages.Defaults{Tools: []batch.Tool{
			{Name: "slow", Call: sleeping(5*time.Second, "slow answer")},
			{Name: "quick", Call: sleeping(time.Second, "quick answer")},
		}})
		require.True(t, r.Success)
		require.Equal(t, "done", r.Response)
		require.Equal(t, 4, r.ToolCallsMade)
		require.Nil(t, r.ToolCalls)
		require.Equal(t, []batch.ToolExecution{
			{ToolName: "slow", Turn: 1, Arguments: json.RawMessage(`{"x": 1}`), Result: "slow answer", ElapsedTime: 5 * time.Second},
			{ToolName: "quick", Turn: 1, Arguments: json.RawMessage(`{}`), Result: "quick answer", ElapsedTime: time.Second},
			{ToolName: "slow", Turn: 1, Arguments: json.RawMessage(`{}`), Result: "slow answer", ElapsedTime: 5 * time.Second},
			{ToolName: "quick", Turn: 2, Arguments: json.RawMessage(`{}`), Result: "quick answer", ElapsedTime: time.Second},
		}, r.ToolExecutionHistory)
		require.Equal(t, 6*time.Second, r.ElapsedTime)
		require.Equal(t, &batch.TokenUsage{Prompt: 50, Completion: 5, Total: 55}, r.TokensUsed, "of all three calls")
		require.Equal(t, 1, r.Attempts)
		require.Equal(t, "stop", r.FinishReason)

		asked := m.asked("")
		require.Len(t, asked, 3)
		require.Equal(t, []batch.Message{
			batch.UserMessage("a"),
			asks.Message,
			batch.ToolMessage("1", "slow answer"), batch.ToolMessage("2", "quick answer"), batch.ToolMessage("3", "slow answer"),
		}, asked[1].Messages)
		require.Len(t, asked[2].Messages, 7)
		require.Equal(t, []string{"slow", "quick"}, toolNames(asked[2].Tools))
	})
}

func TestAToolsFailureGoesBackToTheModelAndTheConversationGoesOn(t *testing.T) {
	tests := map[string]struct {
		call batch.ToolCall
		want string
	}{
		"an error":                   {toolCall("1", "fails", "{}"), "error: no such city"},
		"a panic":                    {toolCall("1", "panics", "{}"), "error: the tool panicked: oh"},
		"a timeout":                  {toolCall("1", "sleeps", "{}"), "error: timed out after 1m0s"},
		"a tool that nobody knows":   {toolCall("1", "lookout", "{}"), `error: unknown tool "lookout"`},
		"arguments that aren't JSON": {toolCall("1", "ping", "{x"), "error: arguments: not valid JSON"},
		"arguments of another type":  {toolCall("1", "ping", "[1]"), "error: arguments: want a JSON object, got [1]"},
	}
	tools := append(
		runTools(),
		batch.Tool{Name: "fails", Call: func(context.Context, json.RawMessage) (string, error) { return "", errors.New("no such city") }},
		batch.Tool{Name: "panics", Call: func(context.Context, json.RawMessage) (string, error) { panic("oh") }},
		batch.Tool{Name: "sleeps", Call: sleeping(time.Hour, "awake")},
	)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := turns(wants(test.call, toolCall("2", "lookup", "{}")))
				r := executeOne(t, executor(m, 1), stages.Defaults{Tools: tools})
				require.True(t, r.Success)
				require.Equal(t, 2, r.ToolCallsMade)
				require.True(t, r.ToolExecutionHistory[0].Error)
				require.Contains(t, r.ToolExecutionHistory[0].Result, test.want)
				require.False(t, r.ToolExecutionHistory[1].Error, "its neighbour is not touched")
				_, err := json.Marshal(r)
				require.NoError(t, err)
				told := m.asked("")[1].Messages
				require.Equal(t, batch.ToolMessage("1", r.ToolExecutionHistory[0].Result), told[2])
				require.Equal(t, batch.ToolMessage("2", "found"), told[3])
			})
		})
	}
}

func TestAConversationHasExactlyAsManyToolTurnsAsAllowed(t *testing.T) {
	for _, limit := range []int{1, 3} {
		bubble(t, func(t *testing.T) {
			m := restless()
			r := executeOne(t, executor(m, 1), stages.Defaults{Tools: runTools(), MaxToolIterations: limit})
			require.Equal(t, batch.ErrToolIterationLimit, r.ErrorType)
			require.Equal(t, fmt.Sprintf("the model still asks for tools after %d tool turns", limit), r.Error)
			require.Len(t, m.asked(""), limit+1)
			require.Len(t, r.ToolExecutionHistory, limit)
			require.Equal(t, limit, r.ToolCallsMade)
			require.EqualValues(t, 22*(limit+1), r.TokensUsed.Total)
		})
	}
}

func TestAnAnswerInTheLastAllowedTurnIsASuccess(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ping := wants(toolCall("1", "ping", "{}"))
		r := executeOne(t, executor(turns(ping, ping), 1), stages.Defaults{Tools: runTools(), MaxToolIterations: 2})
		require.True(t, r.Success)
		require.Equal(t, 2, r.ToolCallsMade)
	})
}

func TestToolTurnsCanBeUnbounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var many []*llm.Answer
		for range 100 {
			many = append(many, wants(toolCall("1", "ping", "{}")))
		}
		r := executeOne(t, executor(turns(many...), 1), stages.Defaults{Tools: runTools(), MaxToolIterations: -1})
		require.True(t, r.Success)
		require.Equal(t, 100, r.ToolCallsMade)
	})
}

func TestToolCallsAreReturnedWhereTheyAreNotToBeExecuted(t *testing.T) {
	no := false
	tests := map[string]batch.Request{
		"because the request says so": {ExecuteTools: &no},
		"because one of the turn's tools has no code": {
			Tools: []batch.Tool{{Name: "ping"}, {Name: "theirs", Parameters: json.RawMessage(`{"type":"object"}`)}},
		},
	}
	for name, request := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				calls := []batch.ToolCall{toolCall("1", "ping", "{}"), toolCall("2", "theirs", "{}")}
				m := turns(wants(calls...))
				request.UserMessage = "a"
				items := []*batch.Item{{Request: &request}}
				mustRun(t.Context(), t, items, stages.Validate(stages.Defaults{Tools: runTools()}), stages.Execute(executor(m, 1)))
				r := items[0].Result
				require.True(t, r.Success)
				require.Equal(t, calls, r.ToolCalls, "the whole turn")
				require.Zero(t, r.ToolCallsMade)
				require.Equal(t, "tool_calls", r.FinishReason)
				require.Len(t, m.asked(""), 1)
			})
		})
	}
}

func TestToolsWithCodeRunBesideOnesWithoutThatTheModelDoesNotCall(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tools := append(runTools(), batch.Tool{Name: "theirs"})
		r := executeOne(t, executor(turns(wants(toolCall("1", "ping", "{}"))), 1), stages.Defaults{Tools: tools})
		require.Equal(t, "done", r.Response)
		require.Equal(t, 1, r.ToolCallsMade)
	})
}

func TestACancellationDuringAToolLeavesTheItemUnfinished(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(errBroken) })
		// A model that doesn't mind its context must not answer from tools that were cut short.
		m := turns(wants(toolCall("1", "sleeps", "{}")))
		items := asking("a")
		mustRun(ctx, t, items, stages.Validate(stages.Defaults{
			Tools: []batch.Tool{{Name: "sleeps", Call: sleeping(time.Hour, "awake")}},
		}), stages.Execute(executor(m, 1)))
		r := items[0].Result
		require.Equal(t, batch.ErrCancelled, r.ErrorType)
		require.ErrorIs(t, r.Err, errBroken)
		require.Len(t, m.asked(""), 1)
		require.EqualValues(t, 22, r.TokensUsed.Total)
		require.Equal(t, time.Second, r.ElapsedTime)
	})
}

func TestAToolThatIgnoresItsContextIsAbandoned(t *testing.T) {
	bubble(t, func(t *testing.T) {
		deaf := func(context.Context, json.RawMessage) (string, error) {
			time.Sleep(24 * time.Hour)
			return "at last", nil
		}
		start := time.Now()
		r := executeOne(t, executor(turns(wants(toolCall("1", "deaf", "{}"))), 1), stages.Defaults{
			Tools: []batch.Tool{{Name: "deaf", Call: deaf}},
		})
		require.Equal(t, time.Minute, time.Since(start))
		require.True(t, r.Success)
		require.Equal(t, "error: timed out after 1m0s", r.ToolExecutionHistory[0].Result)
		time.Sleep(24 * time.Hour) // a bubble waits for its goroutines
	})
}

func TestTheToolTurnsNeverReachTheCallersChat(t *testing.T) {
	bubble(t, func(t *testing.T) {
		chat := append(make([]batch.Message, 0, 16), batch.UserMessage("a"))
		items := []*batch.Item{
			{Index: 0, Request: &batch.Request{ID: "1", Messages: chat}},
			{Index: 1, Request: &batch.Request{ID: "2", Messages: chat}},
		}
		m := &model{answer: func(_ int, _ string, c *llm.Call) (*llm.Answer, error) {
			if len(c.Messages) == 1 {
				return wants(toolCall("1", "ping", "{}")), nil
			}
			return says("done"), nil
		}}
		mustRun(t.Context(), t, items, stages.Validate(stages.Defaults{Tools: runTools()}), stages.Execute(executor(m, 2)))
		require.Equal(t, []batch.Message{batch.UserMessage("a")}, chat)
		require.Zero(t, chat[:2][1])
		require.Len(t, items[0].Effective.Messages, 3)
		require.Len(t, items[1].Effective.Messages, 3)
	})
}
