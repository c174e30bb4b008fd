package sink_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestRecordsThatAreKeptElsewhereAreCountedAndFound(t *testing.T) {
	records, err := sink.CollectRecords("table results", func(yield func(*batch.Result, error) bool) {
		_ = yield(success("a", 0), nil) && yield(failure("b", 1), nil) && yield(&batch.Result{ID: "c", Success: true}, nil)
	})
	require.NoError(t, err)
	earlier := records.Earlier()
	require.Equal(t, 3, earlier.TotalRequests)
	require.Equal(t, 2, earlier.SuccessfulRequests)
	require.Equal(t, 1, earlier.FailedByType[batch.ErrServer])
	require.Equal(t, int64(3), earlier.TotalTokensUsed.Total)

	for id, want := range map[string]bool{"a": true, "b": true, "c": true, "d": false} {
		done, err := records.Done(id, "v1:"+id)
		require.NoError(t, err)
		require.Equal(t, want, done, id)
	}
	_, err = records.Done("a", "v1:other")
	var changed *sink.ChangedError
	require.ErrorAs(t, err, &changed)
	require.Equal(t, sink.ChangedError{Path: "table results", ID: "a", Earlier: "another", Now: "v1:other"}, *changed)
}

func TestRecordsThatCannotAllBeReadAreAnError(t *testing.T) {
	lost := errors.New("the connection is lost")
	_, err := sink.CollectRecords("table results", func(yield func(*batch.Result, error) bool) {
		_ = yield(success("a", 0), nil) && yield(nil, lost)
	})
	require.Equal(t, lost, err)
}
