package main

import (
	"context"
	"strconv"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

// processor sends the messages of a batch through stages of gluepipe. The calls of all batches share the completer, and so
// its pace and its bound.
type processor struct {
	prompt        *service.InterpolatedString
	defaults      stages.Defaults
	retry         stages.RetryPolicy
	completer     llm.Completer
	maxConcurrent int
	free          func() error
	log           *service.Logger
}

// ProcessBatch asks about all messages side by side and returns them in their order.
func (p *processor) ProcessBatch(ctx context.Context, messages service.MessageBatch) ([]service.MessageBatch, error) {
	executor := stages.NewExecutor(stages.ExecutorConfig{
		Completer: p.completer, MaxConcurrent: min(p.maxConcurrent, len(messages)), ToolTimeout: p.defaults.Timeout,
	})
	in, out := make(chan *batch.Item, len(messages)), make(chan *batch.Item, len(messages))
	items := make([]*batch.Item, len(messages))
	for i := range messages {
		items[i] = p.item(messages, i)
		in <- items[i]
	}
	close(in)
	// An error would speak of a stage that broke. These are gluepipe's own, and each item tells what became of it.
	err := stages.Connect(ctx, []batch.Stage{
		stages.Validate(p.defaults), stages.Execute(executor), stages.Retry(executor, p.retry),
	}, 0, in, out, func(error) {})
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err // the whole batch is asked again, wherever it came from
	}
	answers := messages.Copy()
	for i, item := range items {
		p.answer(answers[i], item.Result)
	}
	return []service.MessageBatch{answers}, nil
}

// item makes the request of one message.
func (p *processor) item(messages service.MessageBatch, i int) *batch.Item {
	item := &batch.Item{Index: int64(i), Origin: "message " + strconv.Itoa(i+1)}
	prompt, err := messages.TryInterpolatedString(i, p.prompt)
	if err != nil {
		item.Fail(batch.ErrInvalidRequest.Errorf("prompt: %w", err))
		return item
	}
	item.Request = &batch.Request{UserMessage: prompt}
	return item
}

// answer puts a result into the message that it is about.
func (p *processor) answer(message *service.Message, r *batch.Result) {
	if !r.Success {
		p.log.Debugf("%s: %s", r.ErrorType, r.Error)
		message.SetError(r.Err)
		return
	}
	message.SetBytes([]byte(r.Response))
	message.MetaSetMut("gluepipe_model", r.Model)
	message.MetaSetMut("gluepipe_attempts", int64(r.Attempts))
	message.MetaSetMut("gluepipe_tool_calls", int64(r.ToolCallsMade))
	if r.TokensUsed != nil {
		message.MetaSetMut("gluepipe_tokens", r.TokensUsed.Total)
	}
}

// Close frees what the calls used. It is called once nothing is processed any more.
func (p *processor) Close(context.Context) error { return p.free() }
