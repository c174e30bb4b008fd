package tool_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/tool"
)

// answering returns a tool without arguments that does what do does.
func answering(name string, do func(ctx context.Context) (string, error)) batch.Tool {
	return tool.New(name, "", func(ctx context.Context, _ struct{}) (string, error) { return do(ctx) })
}

func sleeping(name string, d time.Duration) batch.Tool {
	return answering(name, func(ctx context.Context) (string, error) {
		select {
		case <-time.After(d):
			return name + " slept", nil
		case <-ctx.Done():
			return "", fmt.Errorf("sleeping: %w", ctx.Err())
		}
	})
}

// minute bounds each call.
var minute = tool.RunOptions{Timeout: time.Minute}

func callOf(name string) batch.ToolCall { return batch.ToolCall{ID: "call_1", Name: name} }

// runOne runs one call without a timeout.
func runOne(t *testing.T, one batch.Tool, arguments string) batch.ToolExecution {
	t.Helper()
	executions := tool.Run(t.Context(), []batch.Tool{one}, []batch.ToolCall{{Name: one.Name, Arguments: arguments}}, tool.RunOptions{})
	require.Len(t, executions, 1)
	return executions[0]
}

func TestCallsOfOneTurnRunSideBySideAndAnswerInTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tools := []batch.Tool{sleeping("short", time.Second), sleeping("long", 3*time.Second)}
		calls := []batch.ToolCall{callOf("long"), callOf("short"), callOf("long")}
		start := time.Now()
		executions := tool.Run(t.Context(), tools, calls, minute)

		require.Equal(t, 3*time.Second, time.Since(start))
		require.Equal(t, []batch.ToolExecution{
			{ToolName: "long", Arguments: json.RawMessage("{}"), Result: "long slept", ElapsedTime: 3 * time.Second},
			{ToolName: "short", Arguments: json.RawMessage("{}"), Result: "short slept", ElapsedTime: time.Second},
			{ToolName: "long", Arguments: json.RawMessage("{}"), Result: "long slept", ElapsedTime: 3 * time.Second},
		}, executions)
	})
}

func TestAToolThatHeedsItsContextTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tools := []batch.Tool{sleeping("slow", time.Hour), sleeping("quick", time.Second)}
		executions := tool.Run(t.Context(), tools, []batch.ToolCall{callOf("slow"), callOf("quick")}, minute)

		require.True(t, executions[0].Error)
		require.Equal(t, "error: timed out after 1m0s", executions[0].Result)
		require.Equal(t, time.Minute, executions[0].ElapsedTime)
		require.Equal(t, "quick slept", executions[1].Result)
	})
}

func TestAToolThatIgnoresItsContextIsAbandoned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		returned := make(chan struct{})
		deaf := answering("deaf", func(context.Context) (string, error) {
			defer close(returned)
			time.Sleep(time.Hour)
			return "too late", nil
		})
		start := time.Now()
		executions := tool.Run(t.Context(), []batch.Tool{deaf}, []batch.ToolCall{callOf("deaf"), callOf("none")}, minute)

		require.Equal(t, time.Minute, time.Since(start))
		require.Equal(t, "error: timed out after 1m0s", executions[0].Result)
		require.Contains(t, executions[1].Result, "unknown tool")
		<-returned
		synctest.Wait()
		require.Equal(t, "error: timed out after 1m0s", executions[0].Result, "a late answer changes nothing")
	})
}

func TestAFailureBeforeTheTimeoutOfAnotherCallKeepsItsReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failing := answering("failing", func(context.Context) (string, error) {
			time.Sleep(time.Second)
			return "", errors.New("no such order")
		})
		tools := []batch.Tool{sleeping("slow", time.Hour), failing}
		executions := tool.Run(t.Context(), tools, []batch.ToolCall{callOf("slow"), callOf("failing")}, minute)

		require.Equal(t, "error: timed out after 1m0s", executions[0].Result)
		require.Equal(t, "error: no such order", executions[1].Result)
		require.Equal(t, time.Second, executions[1].ElapsedTime)
	})
}

func TestWithoutATimeoutAToolMayTakeAsLongAsItLikes(t *testing.T) {
	for _, none := range []time.Duration{0, -1} {
		synctest.Test(t, func(t *testing.T) {
			tools := []batch.Tool{sleeping("slow", 1000*time.Hour)}
			executions := tool.Run(t.Context(), tools, []batch.ToolCall{callOf("slow")}, tool.RunOptions{Timeout: none})
			require.Equal(t, "slow slept", executions[0].Result)
		})
	}
}

func TestCancellationEndsAllCallsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		deaf := answering("deaf", func(context.Context) (string, error) {
			time.Sleep(time.Hour)
			return "", nil
		})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		executions := tool.Run(ctx, []batch.Tool{deaf, sleeping("slow", time.Hour)},
			[]batch.ToolCall{callOf("deaf"), callOf("slow")}, minute)

		require.Equal(t, time.Second, time.Since(start))
		for _, e := range executions {
			require.True(t, e.Error)
			require.Equal(t, "error: cancelled", e.Result)
			require.Equal(t, time.Second, e.ElapsedTime)
		}
		time.Sleep(time.Hour) // lets the abandoned tool end inside the bubble
	})
}

func TestTheEndOfTheRunIsNotTheToolsTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		executions := tool.Run(ctx, []batch.Tool{sleeping("slow", time.Hour)}, []batch.ToolCall{callOf("slow")}, minute)
		require.Equal(t, "error: cancelled", executions[0].Result)
	})
}

func TestAToolsOwnWordsForTheEndOfItsContextAreNotTheAnswer(t *testing.T) {
	for range 100 { // whether Run or the tool is first to see the end is for the scheduler to say
		ctx, cancel := context.WithCancel(t.Context())
		quitting := answering("quitting", func(ctx context.Context) (string, error) {
			cancel()
			return "", fmt.Errorf(`Get "http://127.0.0.1/": %w`, ctx.Err())
		})
		executions := tool.Run(ctx, []batch.Tool{quitting}, []batch.ToolCall{callOf("quitting")}, minute)
		require.Equal(t, "error: cancelled", executions[0].Result)
	}
}

func TestNoToolIsStartedOnceTheContextHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var called atomic.Bool
		pay := answering("pay", func(context.Context) (string, error) {
			called.Store(true)
			return "paid", nil
		})
		executions := tool.Run(ctx, []batch.Tool{pay}, []batch.ToolCall{callOf("pay")}, tool.RunOptions{})
		synctest.Wait()
		require.False(t, called.Load())
		require.Equal(t, "error: cancelled", executions[0].Result)
		require.True(t, executions[0].Error)
	})
}

func TestAPanicBecomesAnAnswerWithoutAStack(t *testing.T) {
	for name, test := range map[string]struct {
		do   func()
		want string
	}{
		"text":    {func() { panic("boom") }, "error: the tool panicked: boom"},
		"error":   {func() { panic(errors.New("boom")) }, "error: the tool panicked: boom"},
		"runtime": {func() { var s []int; _ = s[3] }, "error: the tool panicked: runtime error: index out of range [3] with length 0"},
		"bytes":   {func() { panic("bo\xffom") }, "error: the tool panicked: bo\uFFFDom"},
		"goexit":  {runtime.Goexit, "error: the tool did not return"},
	} {
		t.Run(name, func(t *testing.T) {
			broken := answering("broken", func(context.Context) (string, error) {
				test.do()
				return "fine", nil
			})
			e := runOne(t, broken, "{}")
			require.True(t, e.Error)
			require.Equal(t, test.want, e.Result)
		})
	}
}

type explosive struct{}

func (*explosive) Error() string { panic("no text") }

func TestAnErrorThatPanicsIsContained(t *testing.T) {
	broken := answering("broken", func(context.Context) (string, error) { return "", &explosive{} })
	require.Equal(t, "error: the tool panicked: no text", runOne(t, broken, "").Result)
}

func TestOneFailingToolLeavesTheOthersAlone(t *testing.T) {
	tools := []batch.Tool{
		answering("good", func(context.Context) (string, error) { return "fine", nil }),
		answering("bad", func(context.Context) (string, error) { return "", errors.New(`no location "Atlantis"`) }),
		{Name: "defined", Description: "has no code"},
	}
	executions := tool.Run(t.Context(), tools,
		[]batch.ToolCall{callOf("bad"), callOf("good"), callOf("goood"), callOf("defined")}, minute)

	var results []string
	for _, e := range executions {
		require.Equal(t, e.Result != "fine", e.Error, e.Result)
		results = append(results, e.Result)
	}
	require.Equal(t, []string{
		`error: no location "Atlantis"`,
		"fine",
		`error: unknown tool "goood"; the tools are: good, bad, defined`,
		`error: the tool "defined" can't be run here`,
	}, results)
}

func TestACallWithoutAnyToolsSaysSo(t *testing.T) {
	executions := tool.Run(t.Context(), nil, []batch.ToolCall{callOf("search")}, tool.RunOptions{})
	require.Equal(t, `error: unknown tool "search"; there are no tools`, executions[0].Result)
	require.Empty(t, tool.Run(t.Context(), nil, nil, tool.RunOptions{}))
}

func TestArgumentsStandInTheHistoryAsTheModelWroteThem(t *testing.T) {
	echo := batch.Tool{Name: "echo", Call: func(_ context.Context, arguments json.RawMessage) (string, error) {
		return string(arguments), nil
	}}
	for _, test := range []struct{ written, history, result string }{
		{`{"a": 1}`, `{"a": 1}`, `{"a": 1}`},
		{" {}\n", `{}`, `{}`},
		{"", `{}`, `{}`},
		{"null", `{}`, `{}`},
		{`[1]`, `[1]`, "error: arguments: want a JSON object, got [1]"},
		{`"text"`, `"text"`, `error: arguments: want a JSON object, got "text"`},
		{`{"a":`, `"{\"a\":"`, "error: arguments: not valid JSON (unexpected end of JSON input); want one JSON object"},
		{"{\"a\": \"\xff\"}", "{\"a\": \"\uFFFD\"}", "{\"a\": \"\uFFFD\"}"},
	} {
		e := runOne(t, echo, test.written)
		require.Equal(t, test.history, string(e.Arguments), test.written)
		require.Equal(t, test.result, e.Result, test.written)
	}
}

func TestResultsAreValidUTF8(t *testing.T) {
	latin := answering("latin", func(context.Context) (string, error) { return "caf\xe9", nil })
	require.Equal(t, "caf\uFFFD", runOne(t, latin, "").Result)
	latin = answering("latin", func(context.Context) (string, error) { return "", errors.New("caf\xe9") })
	require.Equal(t, "error: caf\uFFFD", runOne(t, latin, "").Result)
}

func FuzzRunAnswersWhateverTheModelWrites(f *testing.F) {
	type arguments struct {
		Count  int8              `json:"count" jsonschema:"minimum=-5,maximum=300"`
		Ratio  float64           `json:"ratio,omitempty" jsonschema:"multipleOf=0.5"`
		When   *time.Time        `json:"when,omitempty"`
		Labels map[string]string `json:"labels,omitempty"`
		Nested []struct {
			Any any `json:"any"`
		} `json:"nested,omitempty"`
	}
	for _, seed := range []string{
		``, `null`, `{}`, `{"count": 1}`, `{"count": 3.0}`, `{"count": 1e999999999}`, `{"count": 1e-999999999}`,
		`{"count": 200}`, `{"count": "1"}`, `{"count": 1, "ratio": 1e308}`, `{"count": 1, "when": "tomorrow"}`,
		`{"count": 1, "labels": {"a/b~": 1}}`, `{"count":1,"nested":[{"any":{}}]}`, `{"count":1,"count":2}`, `[]`, "\xff", `{"a`,
	} {
		f.Add(seed)
	}
	typed := tool.New("typed", "", func(_ context.Context, a arguments) (arguments, error) { return a, nil })
	f.Fuzz(func(t *testing.T, written string) {
		e := runOne(t, typed, written)
		require.True(t, json.Valid(e.Arguments), "%q", e.Arguments)
		require.True(t, utf8.ValidString(e.Result))
		require.NotContains(t, e.Result, "panicked")
		_, err := e.MarshalJSON()
		require.NoError(t, err)
		if !e.Error {
			require.True(t, json.Valid([]byte(e.Result)))
		}
	})
}

func TestAToolThatWritesIntoItsArgumentsLeavesTheHistoryAsItWas(t *testing.T) {
	vandal := batch.Tool{Name: "vandal", Call: func(_ context.Context, arguments json.RawMessage) (string, error) {
		clear(arguments)
		return "done", nil
	}}
	executions := tool.Run(t.Context(), []batch.Tool{vandal}, []batch.ToolCall{{Name: "vandal", Arguments: `{"a": 1}`}}, tool.RunOptions{})
	require.Equal(t, "done", executions[0].Result)
	require.JSONEq(t, `{"a": 1}`, string(executions[0].Arguments))
}
