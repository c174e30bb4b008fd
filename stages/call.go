package stages

import (
	"context"
	"time"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

// call makes one model call and books what it took and used.
func (e *Executor) call(ctx context.Context, item *batch.Item) (*llm.Answer, error) {
	request := item.Effective
	call := &llm.Call{
		Model: request.Model, Messages: request.Messages, Input: request.Input, Tools: request.Tools,
		ResponseFormat: request.ResponseFormat, Params: paramsOf(item), Timeout: e.within(request.Timeout, item),
		KeepRaw: e.config.KeepRaw, Hedges: item.Hedges,
	}
	begin := time.Now()
	defer func() { bookTime(item, call, time.Since(begin)) }() // deferred, since a Completer may panic
	answer, err := e.complete(ctx, call)
	if err != nil {
		return nil, err
	}
	r := item.Result
	addUse(r, answer.Usage, answer.CostUSD)
	r.Model, r.FinishReason = answer.Model, answer.FinishReason
	if answer.Raw != nil {
		r.Raw = answer.Raw
	}
	return answer, nil
}

func (e *Executor) complete(ctx context.Context, call *llm.Call) (*llm.Answer, error) {
	answer, err := e.config.Completer.Complete(ctx, call)
	if err == nil && answer == nil {
		err = failure(batch.ErrServer, "the completer returned neither an answer nor an error")
	}
	return answer, err
}

// bookTime books the time that a call took, and the calls that were made beside it.
func bookTime(item *batch.Item, call *llm.Call, took time.Duration) {
	r := item.Result
	if made := call.Hedges - item.Hedges; made > 0 {
		item.Hedges += made
		r.Attempts += made
		r.SetMetadata("_hedged", true)
	}
	r.WaitTime += call.Waited
	r.ElapsedTime += took - call.Waited
}

func addUse(r *batch.Result, tokens *batch.TokenUsage, cost *float64) {
	if tokens != nil {
		if r.TokensUsed == nil {
			r.TokensUsed = &batch.TokenUsage{}
		}
		r.TokensUsed.Add(tokens)
	}
	if cost != nil {
		if r.CostUSD == nil {
			r.CostUSD = new(float64)
		}
		*r.CostUSD += *cost
	}
}
