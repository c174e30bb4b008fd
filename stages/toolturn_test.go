package stages_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
	"github.com/gluepipe/gluepipe/stages/tool"
)

// executeRequest validates and executes one request.
func executeRequest(t *testing.T, r batch.Request, c stages.ExecutorConfig, d stages.Defaults) *batch.Result {
	t.Helper()
	c.MaxConcurrent = 1
	r.ID, r.UserMessage = "a", "a"
	items := []*batch.Item{{Request: &r}}
	mustRun(t.Context(), t, items, stages.Validate(d), stages.Execute(stages.NewExecutor(c)))
	return items[0].Result
}

func TestTheRequestsToolOrderWinsOverTheRuns(t *testing.T) {
	for _, test := range []struct {
		run, request batch.ToolOrder
		takes        time.Duration
	}{
		{"", "", time.Second},
		{batch.Sequential, "", 3 * time.Second},
		{"", batch.Sequential, 3 * time.Second},
		{batch.Parallel, batch.Sequential, 3 * time.Second},
		{batch.Sequential, batch.Parallel, time.Second},
	} {
		bubble(t, func(t *testing.T) {
			m := turns(wants(toolCall("1", "slow", "{}"), toolCall("2", "slow", "{}"), toolCall("3", "slow", "{}")))
			start := time.Now()
			r := executeRequest(t, batch.Request{ToolExecutionOrder: test.request},
				stages.ExecutorConfig{Completer: m, ToolOrder: test.run},
				stages.Defaults{Tools: []batch.Tool{{Name: "slow", Call: sleeping(time.Second, "done")}}})
			require.True(t, r.Success)
			require.Equal(t, test.takes, time.Since(start), "%v", test)
		})
	}
}

func TestAToolOrderThatIsUnknownFailsTheRequest(t *testing.T) {
	r := executeRequest(t, batch.Request{ToolExecutionOrder: "serial"}, stages.ExecutorConfig{Completer: &model{}}, stages.Defaults{})
	require.Equal(t, batch.ErrInvalidRequest, r.ErrorType)
	require.Equal(t, `field "tool_execution_order": want "parallel" or "sequential", got "serial"`, r.Error)
}

func TestTheOrderOfToolsChangesNoFingerprint(t *testing.T) {
	fingerprint := func(order batch.ToolOrder) string {
		items := []*batch.Item{{Request: &batch.Request{ID: "a", UserMessage: "a", ToolExecutionOrder: order}}}
		return validated(t, items, stages.Defaults{Fingerprints: true})[0].Fingerprint
	}
	require.NotEmpty(t, fingerprint(""))
	require.Equal(t, fingerprint(""), fingerprint(batch.Sequential))
}

func TestTheModelIsGivenTheCutAnswerOfATool(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := turns(wants(toolCall("1", "long", "{}")))
		r := executeRequest(t, batch.Request{}, stages.ExecutorConfig{Completer: m, MaxToolResult: 4},
			stages.Defaults{Tools: []batch.Tool{{Name: "long", Server: "files", Call: answering("0123456789")}}})
		const cut = "0123\n[cut: the first 4 of 10 bytes]"
		require.Equal(t, []batch.ToolExecution{{
			ToolName: "long", Server: "files", Turn: 1, Arguments: json.RawMessage("{}"), Result: cut, ResultBytes: 10,
		}}, r.ToolExecutionHistory)
		require.Equal(t, batch.ToolMessage("1", cut), m.asked("")[1].Messages[2])
	})
}

func TestARefusedCallIsAnsweredAndRecordedAndTheConversationGoesOn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := turns(wants(toolCall("1", "delete", "{}"), toolCall("2", "read", "{}")))
		r := executeRequest(t, batch.Request{}, stages.ExecutorConfig{Completer: m, ApproveTool: tool.ApproveReadOnly},
			stages.Defaults{Tools: []batch.Tool{
				{Name: "read", ReadOnly: true, Call: answering("text")},
				{Name: "delete", Call: func(context.Context, json.RawMessage) (string, error) { panic("it was run") }},
			}})
		require.True(t, r.Success)
		require.Equal(t, "done", r.Response)
		require.True(t, r.ToolExecutionHistory[0].Refused)
		require.Contains(t, r.ToolExecutionHistory[0].Result, `error: refused: the tool "delete"`)
		require.False(t, r.ToolExecutionHistory[1].Refused)
		require.Equal(t, r.ToolExecutionHistory[0].Result, m.asked("")[1].Messages[2].Text())
	})
}

func TestAToolOutsideTheRequestsListIsNotRun(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := turns(wants(toolCall("1", "delete", "{}")))
		r := executeRequest(t, batch.Request{Tools: []batch.Tool{{Name: "read"}}}, stages.ExecutorConfig{Completer: m},
			stages.Defaults{Tools: []batch.Tool{
				{Name: "read", Call: answering("text")},
				{Name: "delete", Call: func(context.Context, json.RawMessage) (string, error) { panic("it was run") }},
			}})
		require.True(t, r.Success)
		require.Equal(t, `error: unknown tool "delete"; the tools are: read`, r.ToolExecutionHistory[0].Result)
		require.True(t, r.ToolExecutionHistory[0].Error)
	})
}

func TestARequestsDefinitionOfAToolHasWhatTheRunKnowsOfIt(t *testing.T) {
	var acquired, asked bool
	known := batch.Tool{
		Name: "send", Destructive: true, Server: "mail", Timeout: time.Second, Call: answering("sent"),
		Acquire: func(context.Context) (func(), error) { acquired = true; return nil, nil },
	}
	var definition batch.Tool
	require.NoError(t, json.Unmarshal([]byte(`{"name":"send","description":"their words"}`), &definition))
	m := turns(wants(toolCall("1", "send", "{}")))
	r := executeRequest(t, batch.Request{Tools: []batch.Tool{definition}}, stages.ExecutorConfig{
		Completer: m, ApproveTool: func(_ context.Context, one *batch.Tool, _ json.RawMessage) error {
			asked = one.Destructive && one.Server == "mail" && one.Timeout == time.Second
			return nil
		},
	}, stages.Defaults{Tools: []batch.Tool{known}})
	require.True(t, r.Success)
	require.True(t, asked)
	require.True(t, acquired)
	require.Equal(t, "mail", r.ToolExecutionHistory[0].Server)
	require.Equal(t, "their words", m.asked("")[0].Tools[0].Description)
}

func TestTurnsAreCountedOnOverRetriesAndNoToolRunsTwice(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ran := 0
		counted := batch.Tool{Name: "count", Call: func(context.Context, json.RawMessage) (string, error) {
			ran++
			return "", nil
		}}
		m := &model{answer: func(n int, _ string, _ *llm.Call) (*llm.Answer, error) {
			switch n {
			case 1, 3:
				return wants(toolCall("1", "count", "{}")), nil
			case 2, 4:
				return nil, unavailable()
			}
			return says("done"), nil
		}}
		e := executor(m, 1)
		items := asking("a")
		mustRun(t.Context(), t, items, stages.Validate(stages.Defaults{Tools: []batch.Tool{counted}}), stages.Execute(e),
			stages.Retry(e, stages.RetryPolicy{MaxAttempts: 3}))
		r := items[0].Result
		require.True(t, r.Success)
		require.Equal(t, 3, r.Attempts)
		require.Equal(t, 2, ran)
		require.Len(t, r.ToolExecutionHistory, 2)
		require.Equal(t, 1, r.ToolExecutionHistory[0].Turn)
		require.Equal(t, 2, r.ToolExecutionHistory[1].Turn)
	})
}

func TestTheWaitForAPlaceCountsAgainstTheRequestsTimeout(t *testing.T) {
	bubble(t, func(t *testing.T) {
		busy := batch.Tool{Name: "busy", Timeout: time.Hour, Call: answering("never"), Acquire: func(ctx context.Context) (func(), error) {
			<-ctx.Done()
			return nil, errors.New("busy")
		}}
		start := time.Now()
		r := bounded(t, turns(wants(toolCall("1", "busy", "{}"))), stages.Defaults{Tools: []batch.Tool{busy}}, stages.RetryPolicy{})
		require.Equal(t, 5*time.Minute, time.Since(start))
		require.Equal(t, batch.ErrAPITimeout, r.ErrorType)
		require.Equal(t, "error: cancelled", r.ToolExecutionHistory[0].Result)
	})
}
