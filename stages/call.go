package stages

import (
	"context"
	"time"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

// call makes one model call and books what it took and used.
func (e *Executor) call(ctx context.Context, item *batch.Item) (*llm.Answer, error) {
	r, request := item.Result, item.Effective
	call := &llm.Call{
		Model: request.Model, Messages: request.Messages, Tools: request.Tools, ResponseFormat: request.ResponseFormat,
		Params: request.Params, Timeout: e.within(request.Timeout, item), KeepRaw: e.config.KeepRaw,
		Hedges: hedges(r),
	}
	begin, before := time.Now(), call.Hedges
	defer func() { // deferred, since a Completer may panic
		addHedges(r, call.Hedges-before)
		r.WaitTime += call.Waited
		r.ElapsedTime += time.Since(begin) - call.Waited
	}()
	answer, err := e.config.Completer.Complete(ctx, call)
	if err == nil && answer == nil {
		err = failure(batch.ErrServer, "the completer returned neither an answer nor an error")
	}
	if err != nil {
		return nil, err
	}
	addUse(r, answer.Usage, answer.CostUSD)
	r.Model, r.FinishReason = answer.Model, answer.FinishReason
	if answer.Raw != nil {
		r.Raw = answer.Raw
	}
	return answer, nil
}

// hedged marks, in a result's metadata, a request one of whose calls was made a second time. That is done once a request.
const hedged = "_hedged"

// hedges returns how many of the result's attempts were made beside a slow one.
func hedges(r *batch.Result) int {
	if r.Attempts > 1 && r.Metadata[hedged] == true { // the request may have brought it
		return 1
	}
	return 0
}

func addHedges(r *batch.Result, n int) {
	if n > 0 {
		r.Attempts += n
		r.SetMetadata(hedged, true)
	}
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
