package sink_test

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// written returns the ids that an error says were written, or nil if it says nothing of the whole batch.
func written(err error) []string {
	if some, ok := err.(*sink.PartialError); ok {
		return ids(some.Written)
	}
	return nil
}

func TestASplitTellsWhatOneHalfHasWrittenWhereTheOtherFails(t *testing.T) {
	batchOf := func() []*batch.Result {
		return []*batch.Result{success("a", 0), failure("b", 1), success("c", 2), failure("d", 3)}
	}
	good := open(t, filepath.Join(t.TempDir(), "good.jsonl"), sink.FileOptions{})
	s := sink.Split(good, sink.JSONL(&fullDisk{}))
	results := batchOf()
	err := s.Write(t.Context(), results)
	clear(results)
	require.ErrorContains(t, err, "disk full")
	require.Equal(t, []string{"a", "c"}, written(err))

	require.Nil(t, written(sink.Split(sink.JSONL(&fullDisk{}), nil).Write(t.Context(), batchOf())), "a half that nobody keeps")
	require.Equal(t, []string{"b", "d"}, written(sink.Split(sink.JSONL(&fullDisk{}), &recorder{}).Write(t.Context(), batchOf())))
}

func TestARecordThatCannotBeEncodedIsNotAmongTheWritten(t *testing.T) {
	broken := success("b", 1)
	broken.Metadata = map[string]any{"number": math.NaN()}
	f := open(t, filepath.Join(t.TempDir(), "results.jsonl"), sink.FileOptions{})
	err := f.Write(t.Context(), []*batch.Result{success("a", 0), broken, success("c", 2), broken, success("d", 3)})
	require.ErrorContains(t, err, "encoding the result of request 2")
	require.Equal(t, []string{"a", "c", "d"}, written(err))
	require.Equal(t, []string{"a", "c", "d"}, ids(readLines(t, f.Path())))
	require.Nil(t, written(f.Write(t.Context(), []*batch.Result{broken})))
}

func TestMultiClaimsNothingOfABatchThatOneOfItsSinksLost(t *testing.T) {
	broken := success("b", 1)
	broken.Metadata = map[string]any{"number": math.NaN()}
	f := open(t, filepath.Join(t.TempDir(), "results.jsonl"), sink.FileOptions{})
	require.Nil(t, written(sink.Multi(f, &recorder{}).Write(t.Context(), []*batch.Result{success("a", 0), broken})))
}
