package stages

import (
	"context"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// Skipped is the reason with which [Collect] drops a failed item under [batch.Skip]. The engine counts it as failed.
const Skipped = "skipped: failed"

// Collect makes the stage that decides what a failure does to the run; it stands last. Under [batch.FailFast] the first failed
// result cancels the run through cancel, with the result's [*batch.RequestError] as cause; under [batch.Skip] failed items
// are dropped. Unfinished results are no failures here. Only FailFast needs cancel, and panics without it.
func Collect(strategy batch.ErrorStrategy, cancel context.CancelCauseFunc) batch.Stage {
	if strategy == batch.FailFast && cancel == nil {
		panic("gluepipe: stages.Collect needs cancel under FailFast")
	}
	return func(_ context.Context, in <-chan *batch.Item, out chan<- *batch.Item) error {
		cancelled := false
		for item := range in {
			if r := item.Result; r != nil && item.Dropped() == "" && !r.Success && !r.Unfinished() {
				switch strategy {
				case batch.FailFast:
					if !cancelled {
						cancel(r.Err)
					}
					cancelled = true
				case batch.Skip:
					item.Drop(Skipped)
				case batch.Continue:
				}
			}
			out <- item
		}
		return nil
	}
}
