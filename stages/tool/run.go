package tool

import (
	"bytes"
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
		tool, arguments, err := prepare(tools, &calls[i])
		executions[i] = batch.ToolExecution{ToolName: calls[i].Name, Arguments: arguments}
		if ctx.Err() != nil {
			err = cutShort(ctx)
		}
		if err != nil {
			failure(err).record(&executions[i])
			continue
		}
		outcomes[i] = begin(ctx, tool, arguments)
	}
	for i, done := range outcomes {
		if done != nil {
			await(ctx, done, start).record(&executions[i])
		}
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

func (o outcome) record(e *batch.ToolExecution) {
	e.Result, e.Error, e.ElapsedTime = o.text, o.failed, o.elapsed
}

// prepare finds what a call needs. The arguments are for the history, also where there is an error.
func prepare(tools []batch.Tool, call *batch.ToolCall) (*batch.Tool, json.RawMessage, error) {
	arguments, unreadable := readArguments(call.Arguments)
	tool, err := find(tools, call.Name)
	switch {
	case err != nil:
		return nil, arguments, err
	case unreadable != nil:
		return nil, arguments, fmt.Errorf("arguments: %w", unreadable)
	case tool.Call == nil:
		return nil, arguments, fmt.Errorf("the tool %q can't be run here", call.Name)
	}
	return tool, arguments, nil
}

// begin runs a call in a goroutine of its own, which can be abandoned: the channel has room for the outcome.
func begin(ctx context.Context, tool *batch.Tool, arguments json.RawMessage) <-chan outcome {
	done := make(chan outcome, 1)
	go func() {
		// What remains where the tool ends its goroutine, as a test's FailNow does.
		o := failure(errors.New("the tool did not return"))
		start := time.Now()
		defer func() {
			o.elapsed = time.Since(start)
			done <- o
		}()
		o = run(ctx, tool, arguments)
	}()
	return done
}

func run(ctx context.Context, tool *batch.Tool, arguments json.RawMessage) (o outcome) {
	panicked := panics.Try(func() {
		text, err := tool.Call(ctx, bytes.Clone(arguments)) // the history keeps its own, whatever the tool does to them
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
	if timeout, ok := errors.AsType[timeoutError](context.Cause(ctx)); ok {
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
