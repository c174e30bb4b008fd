package tool_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/tool"
)

type approver func(ctx context.Context, t *batch.Tool, arguments json.RawMessage) error

// runApproved runs one call of a tool that must not be run, and that takes no place.
func runApproved(t *testing.T, arguments string, approve approver) batch.ToolExecution {
	t.Helper()
	forbidden := batch.Tool{
		Name: "forbidden", Server: "files",
		Acquire: func(context.Context) (func(), error) { panic("a place was taken") },
		Call:    func(context.Context, json.RawMessage) (string, error) { panic("it was run") },
	}
	return tool.Run(t.Context(), []batch.Tool{forbidden}, []batch.ToolCall{{Name: "forbidden", Arguments: arguments}},
		tool.RunOptions{Approve: approve, Turn: 2})[0]
}

func TestARefusedCallIsNotRunAndTheModelIsToldWhy(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"by any error": {errors.New("not on a Sunday"), "error: refused: not on a Sunday"},
		"by its own":   {&tool.RefusedError{Reason: "not on a Sunday"}, "error: refused: not on a Sunday"},
		"wrapped":      {fmt.Errorf("policy: %w", &tool.RefusedError{Reason: "no"}), "error: policy: refused: no"},
	} {
		t.Run(name, func(t *testing.T) {
			e := runApproved(t, `{"a": 1}`, func(_ context.Context, one *batch.Tool, arguments json.RawMessage) error {
				require.Equal(t, "forbidden", one.Name)
				require.JSONEq(t, `{"a": 1}`, string(arguments))
				return test.err
			})
			require.Equal(t, batch.ToolExecution{
				ToolName: "forbidden", Server: "files", Turn: 2, Arguments: json.RawMessage(`{"a": 1}`), Result: test.want,
				Error: true, Refused: true, ElapsedTime: 0,
			}, e)
		})
	}
}

func TestNobodyIsAskedToApproveWhatCannotBeRun(t *testing.T) {
	for _, arguments := range []string{"{x", "[1]", `"text"`} {
		e := runApproved(t, arguments, func(context.Context, *batch.Tool, json.RawMessage) error { panic("asked") })
		require.Contains(t, e.Result, "error: arguments: ")
		require.False(t, e.Refused)
	}
}

func TestAnApprovalThatBreaksRunsNothing(t *testing.T) {
	e := runApproved(t, "", func(context.Context, *batch.Tool, json.RawMessage) error { panic("boom") })
	require.Equal(t, "error: the tool panicked: boom", e.Result)
	e = runApproved(t, "", func(context.Context, *batch.Tool, json.RawMessage) error { runtime.Goexit(); return nil })
	require.Equal(t, "error: the tool did not return", e.Result)
	e = runApproved(t, "", func(context.Context, *batch.Tool, json.RawMessage) error { return &explosive{} })
	require.Equal(t, "error: the tool panicked: no text", e.Result)
}

func TestAnApprovalMayTakeItsTimeButNotLongerThanTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wait := func(ctx context.Context, _ *batch.Tool, _ json.RawMessage) error {
			select {
			case <-time.After(time.Hour):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		o := tool.RunOptions{Timeout: time.Minute, Approve: wait}
		tools, calls := []batch.Tool{sleeping("quick", time.Second)}, []batch.ToolCall{callOf("quick")}
		e := tool.Run(t.Context(), tools, calls, o)[0]
		require.Equal(t, "quick slept", e.Result)
		require.Equal(t, time.Second, e.ElapsedTime)

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		e = tool.Run(ctx, tools, calls, o)[0]
		require.Equal(t, "error: cancelled", e.Result)
		require.False(t, e.Refused)
	})
}

func TestWhatAnApprovalDoesToItsToolAndArgumentsChangesNothing(t *testing.T) {
	echo := batch.Tool{Name: "echo", Call: func(_ context.Context, a json.RawMessage) (string, error) { return string(a), nil }}
	tools := []batch.Tool{echo}
	e := tool.Run(t.Context(), tools, []batch.ToolCall{{Name: "echo", Arguments: `{"a":1}`}}, tool.RunOptions{
		Approve: func(_ context.Context, one *batch.Tool, arguments json.RawMessage) error {
			one.Name, one.Call = "", nil
			clear(arguments)
			return nil
		},
	})[0]
	require.Equal(t, `{"a":1}`, e.Result)
	require.Equal(t, `{"a":1}`, string(e.Arguments))
	require.NotNil(t, tools[0].Call)
}

func TestAToolMayRefuseACallItself(t *testing.T) {
	e := runOne(t, answering("own", func(context.Context) (string, error) {
		return "", &tool.RefusedError{Reason: "the address is private"}
	}), "")
	require.Equal(t, "error: refused: the address is private", e.Result)
	require.True(t, e.Refused)
	require.True(t, e.Error)
}

func TestOnlyToolsThatAreReadOnlyAndNotDestructiveAreApproved(t *testing.T) {
	for _, test := range []struct{ readOnly, destructive, approved bool }{
		{true, false, true}, {true, true, false}, {false, false, false}, {false, true, false},
	} {
		one := batch.Tool{Name: "one", ReadOnly: test.readOnly, Destructive: test.destructive}
		err := tool.ApproveReadOnly(t.Context(), &one, nil)
		if test.approved {
			require.NoError(t, err)
			continue
		}
		var refused *tool.RefusedError
		require.ErrorAs(t, err, &refused)
		require.Contains(t, refused.Reason, `"one"`)
	}
}
