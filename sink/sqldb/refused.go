package sqldb

import (
	"context"
	"errors"
	"fmt"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// maxInARow is how many refused results one after the other break the run: then it is the table that doesn't fit.
const maxInARow = 20

// careful is what came of writing results one by one.
type careful struct {
	stored  []*batch.Result
	refused int // successes stored as failures
	inARow  int
	last    error   // the last refusal
	lost    []error // of those that can't be stored at all
}

// writeEach commits results one by one in one transaction, since one of them is refused: each in the best form that the table
// takes.
func (o *Output) writeEach(ctx context.Context, results []*batch.Result) error {
	var c *careful
	err := o.retry(ctx, func() error {
		c = &careful{inARow: o.inARow}
		if err := o.begin(ctx); err != nil {
			return err
		}
		for _, r := range results {
			if err := o.writeOne(ctx, r, c); err != nil {
				return err
			}
		}
		return o.session.exec(ctx, "COMMIT")
	})
	if err != nil {
		return o.failed(err)
	}
	o.inARow = c.inARow
	o.refused.Add(int64(c.refused))
	if c.inARow >= maxInARow {
		c.lost = append(c.lost, fmt.Errorf("it refused %d results one after the other: change the table; then the same run "+
			"with the failed ones done again continues. The last: %w", c.inARow, c.last))
	}
	if len(c.lost) == 0 {
		return nil
	}
	err = o.failed(errors.Join(c.lost...))
	if len(c.stored) == 0 {
		return err
	}
	return &sink.PartialError{Written: c.stored, Err: err}
}

func (o *Output) writeOne(ctx context.Context, r *batch.Result, c *careful) error {
	refused, err := o.try(ctx, r)
	if err != nil {
		return err
	}
	if refused == nil {
		c.stored, c.inARow = append(c.stored, r), 0
		return nil
	}
	c.inARow, c.last = c.inARow+1, refused
	for _, form := range asFailure(r, refused) {
		again, err := o.try(ctx, form)
		if err != nil {
			return err
		}
		if again == nil {
			c.stored = append(c.stored, r)
			if r.Success {
				c.refused++
			}
			return nil
		}
		refused = again
	}
	c.lost = append(c.lost, fmt.Errorf("request %q can't be stored, not even as a failure: %w", r.ID, refused))
	return nil
}

// try writes one result within the transaction, and takes it back where it is refused.
func (o *Output) try(ctx context.Context, r *batch.Result) (refused, err error) {
	if err := o.session.exec(ctx, "SAVEPOINT gluepipe"); err != nil {
		return nil, err
	}
	if err := o.upsert(ctx, []*batch.Result{r}); err != nil {
		if !refusal(err) {
			return nil, err
		}
		refused = err
		if err := o.session.exec(ctx, "ROLLBACK TO SAVEPOINT gluepipe"); err != nil {
			return nil, err
		}
	}
	return refused, o.session.exec(ctx, "RELEASE SAVEPOINT gluepipe")
}

// asFailure returns the forms in which a result that was refused may still be stored, the best first: a failure that keeps
// the row and the answer's text, and one that keeps nothing else.
func asFailure(r *batch.Result, refused error) []*batch.Result {
	failure := *r
	failure.SetError(batch.ErrStage.Errorf("the table refuses the result: %w", refused))
	bare := failure
	bare.Row, bare.Metadata, bare.ToolCalls = nil, nil, nil
	bare.Response, bare.StructuredOutput, bare.Embedding = "", nil, nil
	return []*batch.Result{&failure, &bare}
}

// valueError is a value of a result that doesn't fit its column. It is a refusal, too: by the layout of the table.
type valueError struct{ error }

func (e *valueError) Unwrap() error { return e.error }
