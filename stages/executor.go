package stages

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

// Executor does the work that execute and retry share: one attempt at a request, with its tool turns. It is safe for
// concurrent use, by several runs too.
type Executor struct {
	config ExecutorConfig
}

// ExecutorConfig says how requests are executed.
type ExecutorConfig struct {
	Completer     llm.Completer // makes the model calls; it bounds how many are in flight over execute and retry
	MaxConcurrent int           // conversations worked on at once by each of the two stages; at least 1
	ToolTimeout   time.Duration // of one call of a tool that has no Timeout of its own; 0 or less: none
	// ToolOrder is of the tool calls of one turn; "" is parallel. A request's own wins.
	ToolOrder batch.ToolOrder
	// MaxToolResult is how many bytes of a tool's answer the model and the history are given; 0 or less: all. See
	// tool.RunOptions.
	MaxToolResult int64
	// ApproveTool is asked before a tool is run, and refuses the call by an error, whose text is the answer to the model; nil
	// approves all. It is called by many goroutines at once and may wait, until its context ends.
	ApproveTool func(ctx context.Context, t *batch.Tool, arguments json.RawMessage) error
	// RequestTimeout bounds one request over all its attempts, tools and backoffs; waits for limits, which the Completer adds
	// to Call.Waited, don't count. 0 or less: none. Each call gets what is left of it as its timeout, if that is less.
	RequestTimeout time.Duration
	// MaxRepairs is how many answers of a conversation that break their schema are asked for again, with what is wrong with
	// them; 0 or less: none. See Defaults.Schema.
	MaxRepairs     int
	AllowTruncated bool // an answer cut at its token limit is a success
	KeepRaw        bool // keep each answer's bytes in Result.Raw
	// EmbedBatch is how many requests for the embedding of a text one call asks for, where they have the model, the params and
	// the timeout in common; 0 or 1: each has a call of its own, as with KeepRaw. See [Execute].
	EmbedBatch int
	Tracker    *Tracker // is told which requests are in work; nil: nobody is
}

// NewExecutor returns an executor. It panics without a Completer or with MaxConcurrent below 1.
func NewExecutor(config ExecutorConfig) *Executor {
	if config.Completer == nil || config.MaxConcurrent < 1 {
		panic("gluepipe: stages.NewExecutor needs a Completer and MaxConcurrent of 1 or more")
	}
	return &Executor{config: config}
}

// Execute makes the stage that asks the model, with up to MaxConcurrent long-lived workers. Settled items pass untouched. When
// ctx ends, calls in flight are cancelled and what is not done becomes unfinished; when the run drains, what has not begun.
//
// Requests for the embedding of a text wait a few milliseconds for others, to be asked for together by as many workers again:
// EmbedBatch of them, or what some thousand tokens hold. Each has its vector, the whole time of the call, and its share of
// the tokens and the cost. A call that fails for good because of one of them (a text that is too long) is made again for
// either half, within the same attempt; a failure that can be cured is each one's, and Retry makes its call alone.
func Execute(e *Executor) batch.Stage {
	return func(ctx context.Context, in <-chan *batch.Item, out chan<- *batch.Item) error {
		draining := batch.Draining(ctx)
		gather := e.newGatherer(ctx, out)
		defer gather.finish()
		workers(e.config.MaxConcurrent, func() {
			for item := range in {
				switch {
				case item.Settled():
				case isDraining(draining):
					leaveForLater(item)
				case gather.wants(item):
					gather.in <- item
					continue
				default:
					e.attempt(ctx, item)
				}
				out <- item
			}
		})
		return nil
	}
}

func isDraining(draining <-chan struct{}) bool {
	select {
	case <-draining:
		return true
	default:
		return false
	}
}

// leaveForLater settles an item that a draining run doesn't begin or try again.
func leaveForLater(item *batch.Item) {
	item.Fail(batch.ErrCancelled.Errorf("left for a later run"))
}

// attempt goes on with the item's conversation until there is an answer or a failure, and sets Result. Only a failure that
// another attempt may cure leaves the item unsettled.
func (e *Executor) attempt(ctx context.Context, item *batch.Item) {
	e.config.Tracker.begin(item)
	e.try(ctx, item)
	if item.Settled() {
		e.config.Tracker.end(item)
	}
}

func (e *Executor) try(ctx context.Context, item *batch.Item) {
	if !prepare(ctx, item) {
		return
	}
	defer func() {
		if panicked := recover(); panicked != nil {
			item.Fail(batch.ErrServer.Errorf("the model call panicked: %v", panicked))
		}
	}()
	if err := e.converse(ctx, item); err != nil {
		e.fail(ctx, item, err) // under the same recover, since a Completer's error may panic too
	}
}

// prepare gets an item ready for an attempt, unless there can't be one.
func prepare(ctx context.Context, item *batch.Item) bool {
	if ctx.Err() != nil {
		cutShort(ctx, item)
		return false
	}
	if item.Effective == nil {
		item.Fail(batch.ErrInvalidRequest.Errorf(
			"%sthe request was not validated: stages.Validate goes before stages.Execute", at(item)))
		return false
	}
	if item.Result == nil {
		item.Settle(&batch.Result{})
	}
	r := item.Result
	r.ClearError()
	item.Retryable, item.RetryAfter = false, 0
	r.Attempts++
	if r.Attempts > 1 {
		r.SetMetadata("_retried", true)
	}
	return true
}

func (e *Executor) fail(ctx context.Context, item *batch.Item, err error) {
	// Before anything is read from err: to the call, the run's deadline looks like its own timeout, and the cause of a
	// cancellation may be the failure of another request, with tokens used there.
	if causedByEnd(ctx, err) {
		cutShort(ctx, item)
		return
	}
	failure := llm.Classify(ctx, err)
	addUse(item.Result, failure.Usage, failure.CostUSD)
	if failure.Raw != nil {
		item.Result.Raw = failure.Raw
	}
	if failure.Kind == batch.ErrAPITimeout && e.overdue(item, 0) {
		item.Fail(e.timedOut(item))
		return
	}
	item.Fail(failure)
	item.Retryable, item.RetryAfter = failure.Retryable && !failure.Fatal, failure.RetryAfter
}

// converse asks the model and runs the tools it asks for, turn by turn.
func (e *Executor) converse(ctx context.Context, item *batch.Item) error {
	r, request := item.Result, item.Effective
	for {
		answer, err := e.call(ctx, item)
		if err != nil {
			return err
		}
		if request.Input != nil {
			return embedded(r, answer)
		}
		calls := answer.ToolCalls()
		switch {
		case answer.FinishReason == "length" && !e.config.AllowTruncated:
			r.Response = answer.Text
			return failure(batch.ErrTruncated, "the answer was cut at its token limit (finish_reason length)")
		case answer.Refusal != "" && len(calls) == 0:
			r.Response = answer.Text
			return failure(batch.ErrContentFilter, "the model refused: %s", answer.Refusal)
		case len(calls) == 0 && item.Structure != nil:
			if again, err := e.structure(ctx, item, answer); !again {
				return err
			}
			continue
		case len(calls) == 0:
			r.Response, r.Success = answer.Text, true
			return nil
		case !*request.ExecuteTools || !executable(request.Tools, calls):
			r.Response, r.Success, r.ToolCalls = answer.Text, true, calls
			return nil
		case request.MaxToolIterations >= 0 && item.ToolTurns >= request.MaxToolIterations:
			r.Response = answer.Text
			return failure(batch.ErrToolIterationLimit,
				"the model still asks for tools after %d tool turns", item.ToolTurns)
		}
		if e.overdue(item, 0) { // before the tools do what nobody will be told of
			r.Response = answer.Text
			return e.timedOut(item)
		}
		e.runTools(ctx, item, answer.Message)
		switch {
		case ctx.Err() != nil: // the model must not answer from tools that were cut short
			return context.Cause(ctx)
		case e.overdue(item, 0):
			return e.timedOut(item)
		}
	}
}

func failure(kind batch.ErrorKind, format string, args ...any) error {
	return &llm.Error{Kind: kind, Err: fmt.Errorf(format, args...)}
}
