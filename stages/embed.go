package stages

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/sourcegraph/conc/panics"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

// embedded takes the answer to a call for embeddings. Those of a list of texts stand in the raw answer alone.
func embedded(r *batch.Result, answer *llm.Answer) error {
	if len(answer.Embeddings) == 0 {
		return &llm.Error{Kind: batch.ErrServer, Retryable: true, Err: errNoEmbeddings}
	}
	if len(answer.Embeddings) == 1 {
		r.Embedding = answer.Embeddings[0]
	}
	r.Success = true
	return nil
}

var errNoEmbeddings = errors.New("the answer doesn't have an embedding for each text")

// attemptGroup makes one attempt at each item of a group with as few calls as will do, as attempt does at one.
func (e *Executor) attemptGroup(ctx context.Context, items []*batch.Item) {
	if len(items) == 1 {
		e.attempt(ctx, items[0])
		return
	}
	ready := items[:0:0]
	for _, item := range items {
		e.config.Tracker.begin(item)
		if prepare(ctx, item) {
			ready = append(ready, item)
		}
	}
	if recovered := panics.Try(func() { e.embed(ctx, ready) }); recovered != nil {
		for _, item := range ready {
			if r := item.Result; !r.Success && r.Err == nil {
				item.Fail(batch.ErrServer.Errorf("the model call panicked: %v", recovered.Value))
			}
		}
	}
	for _, item := range items {
		if item.Settled() {
			e.config.Tracker.end(item)
		}
	}
}

// embed asks for the embeddings of a group, by halves where one of them may be what fails the call.
func (e *Executor) embed(ctx context.Context, items []*batch.Item) {
	if len(items) == 0 {
		return
	}
	answer, err := e.callGroup(ctx, items)
	switch {
	case err == nil:
		shares := sharesOf(items)
		for i, item := range items {
			r := item.Result
			r.Model, r.Embedding, r.Success = answer.Model, answer.Embeddings[i], true
			addUse(r, shares.tokens(answer.Usage, i), shares.cost(answer.CostUSD, i))
		}
	case causedByEnd(ctx, err):
		for _, item := range items {
			cutShort(ctx, item)
		}
	default:
		e.failGroup(ctx, items, llm.Classify(ctx, err))
	}
}

func (e *Executor) failGroup(ctx context.Context, items []*batch.Item, failed *llm.Error) {
	shares := sharesOf(items)
	for i, item := range items {
		addUse(item.Result, shares.tokens(failed.Usage, i), shares.cost(failed.CostUSD, i))
	}
	if half := len(items) / 2; half > 0 && ofOneInput(failed) && !e.overdue(items[0], 0) {
		e.embed(ctx, items[:half])
		e.embed(ctx, items[half:])
		return
	}
	booked := *failed
	booked.Usage, booked.CostUSD = nil, nil
	for _, item := range items {
		e.fail(ctx, item, &booked)
	}
}

// ofOneInput tells whether a call may have failed because of one of its inputs, or of their number.
func ofOneInput(failed *llm.Error) bool {
	if failed.Retryable || failed.Fatal {
		return false
	}
	switch failed.Kind {
	case batch.ErrTokenLimit, batch.ErrContentFilter, batch.ErrServer:
		return true
	case batch.ErrInvalidRequest:
		switch failed.Status {
		case 0, http.StatusOK, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
			return true
		}
	}
	return false
}

// callGroup makes one call for all items, whose requests differ in their texts alone, and books the time it took.
func (e *Executor) callGroup(ctx context.Context, items []*batch.Item) (*llm.Answer, error) {
	first := items[0]
	request := first.Effective
	call := &llm.Call{
		Model: request.Model, Input: joined(items), Params: request.Params, Timeout: e.within(request.Timeout, first),
		Hedges: first.Hedges,
	}
	begin := time.Now()
	defer func() { // deferred, since a Completer may panic
		took := time.Since(begin)
		for _, item := range items {
			bookTime(item, call, took)
		}
	}()
	answer, err := e.complete(ctx, call)
	if err == nil && len(answer.Embeddings) != len(items) {
		return nil, &llm.Error{
			Kind: batch.ErrServer, Retryable: true, Usage: answer.Usage, CostUSD: answer.CostUSD, Err: errNoEmbeddings,
		}
	}
	return answer, err
}

// joined is the input of a group: a list, or the text of one as it stands.
func joined(items []*batch.Item) json.RawMessage {
	if len(items) == 1 {
		return items[0].Effective.Input
	}
	input := []byte{'['}
	for i, item := range items {
		if i > 0 {
			input = append(input, ',')
		}
		input = append(input, item.Effective.Input...)
	}
	return append(input, ']')
}

// shares splits what a call used among the items of its group, by the lengths of their texts. The parts add up to the whole.
type shares []int64 // the bytes of the texts up to and with each

func sharesOf(items []*batch.Item) shares {
	s := make(shares, len(items))
	sum := int64(0)
	for i, item := range items {
		sum += int64(len(item.Effective.Input))
		s[i] = sum
	}
	return s
}

// upTo returns the part of the first n.
func (s shares) upTo(n int, whole float64) float64 {
	if n == 0 {
		return 0
	}
	return whole * (float64(s[n-1]) / float64(s[len(s)-1]))
}

func (s shares) of(whole int64, i int) int64 {
	return int64(s.upTo(i+1, float64(whole))) - int64(s.upTo(i, float64(whole)))
}

func (s shares) tokens(whole *batch.TokenUsage, i int) *batch.TokenUsage {
	if whole == nil {
		return nil
	}
	return &batch.TokenUsage{
		Prompt: s.of(whole.Prompt, i), Completion: s.of(whole.Completion, i), Total: s.of(whole.Total, i),
	}
}

func (s shares) cost(whole *float64, i int) *float64 {
	if whole == nil {
		return nil
	}
	return new(s.upTo(i+1, *whole) - s.upTo(i, *whole))
}
