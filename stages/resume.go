package stages

import (
	"context"
	"fmt"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// DoneEarlier is the reason with which [Resume] drops what an earlier run has done.
const DoneEarlier = "done in an earlier run"

// Index knows what earlier runs have done; a JSONL file that is continued is one.
type Index interface {
	// Done tells whether the request is done. It returns an error where a request of that id is done, but was another
	// request by its fingerprint.
	Done(id, fingerprint string) (bool, error)
}

// Resume makes a stage that drops what an earlier run has done, by id and fingerprint. It stands after validate. A request
// whose id is done with another fingerprint breaks the run, since its result would be mixed up with another's.
func Resume(index Index) batch.Stage {
	return func(_ context.Context, in <-chan *batch.Item, out chan<- *batch.Item) error {
		for item := range in {
			if item.Dropped() == "" {
				done, err := index.Done(item.ID(), item.Fingerprint)
				if err != nil {
					item.Fail(batch.ErrCancelled.Wrap(err))
					out <- item
					return fmt.Errorf("%s%w", at(item), err)
				}
				if done {
					item.Drop(DoneEarlier)
				}
			}
			out <- item
		}
		return nil
	}
}
