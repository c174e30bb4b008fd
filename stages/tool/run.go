package tool

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// RunOptions say how [Run] runs the calls of a turn. The zero value runs them side by side, approves all, and bounds nothing.
type RunOptions struct {
	// Timeout is of one call, where the tool has none of its own; 0 or less: none. The waits for approval and in
	// [batch.Tool.Acquire] don't count.
	Timeout time.Duration
	Order   batch.ToolOrder // "" is [batch.Parallel]
	// MaxResult is how many bytes of a tool's answer, or of its error's text, the model is given; 0 or less: all. What is longer
	// is cut between two characters and ends with a line that says so, which doesn't count: "[cut: the first 262144 of
	// 104857600 bytes]".
	MaxResult int64
	Turn      int // recorded in each execution
	// Approve, if set, is asked before a call is run, with arguments that are a JSON object. Its error refuses the call: the
	// tool is not run, and the answer is "error: refused: " and the error's text. It may wait, until ctx ends, and is called by
	// many goroutines at once. What it gets is its own.
	Approve func(ctx context.Context, t *batch.Tool, arguments json.RawMessage) error
}

// Run executes the tool calls of one turn and returns one execution a call, in the order of calls. A call that fails has
// Error set, and "error: " with what went wrong as its Result; the others go on. Results are valid UTF-8: bytes that are not
// are replaced. Arguments are valid JSON, and whole.
//
// A call's time begins when the tool is called: after approval, after [batch.Tool.Acquire], and in sequential order after the
// calls before it. ElapsedTime is counted from there, too. A tool that is still busy when its time is over, or when ctx ends,
// is told so by its context and abandoned: Run doesn't wait for it, its goroutine and its place (Acquire) are taken until it
// returns, and what it returns is lost. A call that ctx cuts short reads "error: cancelled"; once ctx has ended, none is
// started.
//
// Run blocks until each call is answered, and is safe for concurrent use. Where two tools have the same name, the first is
// called.
func Run(ctx context.Context, tools []batch.Tool, calls []batch.ToolCall, o RunOptions) []batch.ToolExecution {
	executions := make([]batch.ToolExecution, len(calls))
	if o.Order == batch.Sequential || len(calls) == 1 {
		for i := range calls {
			executions[i] = o.execute(ctx, tools, &calls[i])
		}
		return executions
	}
	var running sync.WaitGroup
	for i := range calls {
		running.Go(func() { executions[i] = o.execute(ctx, tools, &calls[i]) })
	}
	running.Wait()
	return executions
}

func (o *RunOptions) execute(ctx context.Context, tools []batch.Tool, call *batch.ToolCall) batch.ToolExecution {
	tool, arguments, err := prepare(tools, call)
	e := batch.ToolExecution{ToolName: call.Name, Arguments: arguments, Turn: o.Turn}
	if tool != nil {
		e.Server = tool.Server
	}
	if ctx.Err() != nil {
		err = cutShort(ctx)
	}
	var out outcome
	if err != nil {
		out = failure(err, o.MaxResult)
	} else {
		out = newJob(tool, arguments, o).await(ctx)
	}
	e.Result, e.ResultBytes = out.text, out.size
	e.Error, e.Refused, e.ElapsedTime = out.failed, out.refused, out.elapsed
	return e
}
