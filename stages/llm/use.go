package llm

import (
	"context"
	"errors"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// use is what a call used, as far as its answer or error says.
type use struct {
	tokens *batch.TokenUsage
	cost   *float64
}

func used(answer *Answer, err error) use {
	if err == nil && answer != nil {
		return use{answer.Usage, answer.CostUSD}
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return use{e.Usage, e.CostUSD}
	}
	return use{}
}

// add leaves what its pointers pointed to as it is.
func (u *use) add(o use) {
	if o.tokens != nil {
		sum := *o.tokens
		sum.Add(u.tokens)
		u.tokens = &sum
	}
	if o.cost != nil {
		sum := *o.cost
		if u.cost != nil {
			sum += *u.cost
		}
		u.cost = &sum
	}
}

func (u *use) addToAnswer(answer *Answer) {
	u.add(use{answer.Usage, answer.CostUSD})
	answer.Usage, answer.CostUSD = u.tokens, u.cost
}

func (u *use) addToError(ctx context.Context, err error) error {
	if *u == (use{}) {
		return err
	}
	e := *Classify(ctx, err)
	u.add(use{e.Usage, e.CostUSD})
	e.Usage, e.CostUSD = u.tokens, u.cost
	return &e
}
