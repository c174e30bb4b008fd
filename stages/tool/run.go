package tool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sourcegraph/conc/panics"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// Run executes the tool calls of one turn side by side and returns one execution a call, in the order of calls. A call that
// fails has Error set, and "error: " with what went wrong as its Result. Results are valid UTF-8, arguments valid JSON.
//
// Each call may take timeout; 0 or less means as long as it likes. A tool that is still busy then, or when ctx ends, is told
// so by its context and abandoned: Run doesn't wait for it, its goroutine lives until the tool returns, and what it returns
// is lost. A call that ctx cuts short reads "error: cancelled"; once ctx has ended, none is started.
//
// Run is safe for concurrent use. Where two tools have the same name, the first is called.
func Run(ctx context.Context, tools []batch.Tool, calls []batch.ToolCall, timeout time.Duration) []batch.ToolExecution {
	if timeout > 0 { // all calls start now, so one deadline serves them all
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, timeout, timeoutError(timeout))
		defer cancel()
	}
	start := time.Now()
	outcomes := make([]<-chan outcome, len(calls))
	executions := make([]batch.ToolExecution, len(calls))
	for i := range calls {
		arguments, err := readArguments(calls[i].Arguments)
		executions[i] = batch.ToolExecution{ToolName: calls[i].Name, Arguments: arguments}
		outcomes[i] = begin(ctx, tools, calls[i].Name, arguments, err)
	}
	for i := range executions {
		o := await(ctx, outcomes[i], start)
		executions[i].Result, executions[i].Error, executions[i].ElapsedTime = o.text, o.failed, o.elapsed
	}
	return executions
}

// outcome is how a call went, in words for the model.
type outcome struct {
	text    string
	failed  bool
	elapsed time.Duration
}

func failure(err error) outcome {
	return outcome{text: "error: " + strings.ToValidUTF8(err.Error(), "\uFFFD"), failed: true}
}

// begin starts a call in a goroutine of its own, which can be abandoned: the channel has room for the outcome.
func begin(
	ctx context.Context, tools []batch.Tool, name string, arguments json.RawMessage, err error,
) <-chan outcome {
	done := make(chan outcome, 1)
	tool, findErr := find(tools, name)
	switch {
	case ctx.Err() != nil:
		done <- failure(cutShort(ctx))
	case findErr != nil:
		done <- failure(findErr)
	case err != nil:
		done <- failure(fmt.Errorf("arguments: %w", err))
	case tool.Call == nil:
		done <- failure(fmt.Errorf("the tool %q can't be run here", name))
	default:
		go func() {
			// Stays where the tool ends its goroutine, as a test's FailNow does.
			o := failure(errors.New("the tool did not return"))
			start := time.Now()
			defer func() {
				o.elapsed = time.Since(start)
				done <- o
			}()
			o = run(ctx, tool, arguments)
		}()
	}
	return done
}

func run(ctx context.Context, tool *batch.Tool, arguments json.RawMessage) (o outcome) {
	panicked := panics.Try(func() {
		text, err := tool.Call(ctx, arguments)
		switch {
		case err == nil:
			o.text = strings.ToValidUTF8(text, "\uFFFD")
		case ctx.Err() != nil:
			o = failure(cutShort(ctx))
		default:
			o = failure(err)
		}
	})
	if panicked != nil {
		o = failure(fmt.Errorf("the tool panicked: %v", panicked.Value))
	}
	return o
}

func await(ctx context.Context, done <-chan outcome, start time.Time) outcome {
	select {
	case o := <-done:
		return o
	case <-ctx.Done():
	}
	select {
	case o := <-done: // it was ready before ctx ended: the wait was for another call
		return o
	default:
		o := failure(cutShort(ctx))
		o.elapsed = time.Since(start)
		return o
	}
}

type timeoutError time.Duration

func (e timeoutError) Error() string { return "timed out after " + time.Duration(e).String() }

// cutShort says why a call whose context has ended did not finish.
func cutShort(ctx context.Context) error {
	if timeout, ok := context.Cause(ctx).(timeoutError); ok {
		return timeout
	}
	return errors.New("cancelled")
}

// readArguments returns what a model wrote as JSON for the tool and the history: {} where it left them out, a JSON string
// where they are not JSON. The error says why they are not a tool's arguments.
func readArguments(written string) (json.RawMessage, error) {
	written = strings.TrimSpace(strings.ToValidUTF8(written, "\uFFFD"))
	var raw json.RawMessage
	switch err := json.Unmarshal([]byte(written), &raw); {
	case written == "", written == "null":
		return json.RawMessage("{}"), nil
	case err != nil:
		return batch.Text(written), fmt.Errorf("not valid JSON (%w); want one JSON object", err)
	case raw[0] != '{':
		return raw, fmt.Errorf("want a JSON object, got %s", excerpt(written))
	}
	return raw, nil
}

func excerpt(s string) string {
	const limit = 60
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "..."
}
