package sink_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/sink/sinktest"
	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestJSONLConforms(t *testing.T) {
	sinktest.Run(t, sinktest.Harness{
		Open: func(t *testing.T) (batch.Sink, func() []*batch.Result) {
			t.Helper()
			var out bytes.Buffer
			return sink.JSONL(&out), func() []*batch.Result { return parseLines(t, out.Bytes()) }
		},
		Broken: func(t *testing.T) (batch.Sink, string) {
			t.Helper()
			file, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
			if err != nil {
				t.Skip("no /dev/full here")
			}
			t.Cleanup(func() { _ = file.Close() })
			return sink.JSONL(file), "writing results: write /dev/full: no space left on device"
		},
	})
}

func TestFileConforms(t *testing.T) {
	sinktest.Run(t, sinktest.Harness{
		Open: func(t *testing.T) (batch.Sink, func() []*batch.Result) {
			t.Helper()
			path := filepath.Join(t.TempDir(), "results.jsonl")
			return open(t, path, sink.FileOptions{}), func() []*batch.Result { return readLines(t, path) }
		},
		Broken: func(t *testing.T) (batch.Sink, string) {
			t.Helper()
			if _, err := os.Stat("/dev/full"); err != nil {
				t.Skip("no /dev/full here")
			}
			return open(t, "/dev/full", sink.FileOptions{}), "write /dev/full: no space left on device"
		},
	})
}

func TestChanConforms(t *testing.T) {
	sinktest.Run(t, sinktest.Harness{
		Open: func(*testing.T) (batch.Sink, func() []*batch.Result) {
			results, got := make(chan *batch.Result), make(chan []*batch.Result)
			go func() {
				var all []*batch.Result
				for r := range results {
					all = append(all, r)
				}
				got <- all
			}()
			return sink.Chan(results), func() []*batch.Result {
				close(results)
				return <-got
			}
		},
	})
}

func TestMultiConforms(t *testing.T) {
	sinktest.Run(t, sinktest.Harness{
		Open: func(t *testing.T) (batch.Sink, func() []*batch.Result) {
			t.Helper()
			var first, second bytes.Buffer
			return sink.Multi(sink.JSONL(&first), sink.JSONL(&second)), func() []*batch.Result {
				require.Equal(t, first.String(), second.String())
				return parseLines(t, second.Bytes())
			}
		},
		Broken: func(*testing.T) (batch.Sink, string) {
			return sink.Multi(sink.JSONL(&bytes.Buffer{}), sink.JSONL(&fullDisk{})), "writing results: disk full"
		},
	})
}

func TestSplitConforms(t *testing.T) {
	sinktest.Run(t, sinktest.Harness{
		Open: func(*testing.T) (batch.Sink, func() []*batch.Result) {
			var good, bad recorder
			return sink.Split(&good, &bad), func() []*batch.Result {
				return slices.SortedFunc(slices.Values(append(good.results, bad.results...)), func(a, b *batch.Result) int {
					return cmp.Compare(a.Index, b.Index)
				})
			}
		},
		ByIndex: true,
		Broken: func(*testing.T) (batch.Sink, string) {
			return sink.Split(nil, sink.JSONL(&fullDisk{})), "writing results: disk full"
		},
	})
}

func TestAWriterGetsABatchOfWholeLinesAtOnce(t *testing.T) {
	var out writes
	s := sink.JSONL(&out)
	require.NoError(t, s.Write(t.Context(), []*batch.Result{success("a", 0), success("b", 1)}))
	require.NoError(t, s.Write(t.Context(), nil))
	require.NoError(t, s.Write(t.Context(), []*batch.Result{success("c", 2)}))
	require.Len(t, out, 2)
	require.Len(t, parseLines(t, []byte(out[0])), 2)
	require.Len(t, parseLines(t, []byte(out[1])), 1)
}

func TestAWriterIsNotClosed(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	require.NoError(t, err)
	require.NoError(t, sink.JSONL(file).Close(t.Context()))
	require.NoError(t, file.Close(), "it is still open")
}

func TestAShortWriteIsAnError(t *testing.T) {
	err := sink.JSONL(shortWriter{}).Write(t.Context(), []*batch.Result{success("a", 0)})
	require.EqualError(t, err, "writing results: short write")
}

func TestAResultThatCannotBeEncodedIsNamedAndTheOthersAreWritten(t *testing.T) {
	odd := success("odd", 1)
	odd.Metadata = map[string]any{"score": math.NaN()}
	given := []*batch.Result{success("a", 0), odd, success("c", 2)}
	path := filepath.Join(t.TempDir(), "results.jsonl")
	file := open(t, path, sink.FileOptions{})
	var out bytes.Buffer
	for name, s := range map[string]batch.Sink{"": sink.JSONL(&out), path: file} {
		err := s.Write(t.Context(), given)
		require.ErrorContains(t, err, `encoding the result of request 2: result "odd": field "metadata"`)
		require.ErrorContains(t, err, name)
		require.NoError(t, s.Close(t.Context()))
	}
	for _, got := range [][]*batch.Result{parseLines(t, out.Bytes()), readLines(t, path)} {
		require.Equal(t, []string{"a", "c"}, ids(got))
	}
}

func TestChanStopsWaitingWhenItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		results := make(chan *batch.Result, 1)
		err := sink.Chan(results).Write(ctx, []*batch.Result{success("a", 0), success("b", 1)})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, `sending the result of request "b"`)
		require.Equal(t, "a", (<-results).ID)
	})
}

func TestMultiServesTheOthersWhenOneFails(t *testing.T) {
	first, last := errors.New("first"), errors.New("last")
	var healthy recorder
	s := sink.Multi(&recorder{err: first}, &healthy, &recorder{err: last})
	err := s.Write(t.Context(), []*batch.Result{success("a", 0)})
	require.ErrorIs(t, err, first)
	require.ErrorIs(t, err, last)
	require.Equal(t, []string{"a"}, ids(healthy.results))
	require.ErrorIs(t, s.Close(t.Context()), last)
	require.True(t, healthy.closed)
	require.PanicsWithValue(t, "gluepipe: sink.Multi needs sinks that are not nil", func() { sink.Multi(nil) })
}

func TestSplitPartsSuccessesFromFailures(t *testing.T) {
	var good, bad recorder
	s := sink.Split(&good, &bad)
	require.NoError(t, s.Write(t.Context(), []*batch.Result{success("a", 0), failure("b", 1), success("c", 2)}))
	require.NoError(t, s.Write(t.Context(), []*batch.Result{success("d", 3)}))
	require.NoError(t, s.Close(t.Context()))
	require.Equal(t, []string{"a", "c", "d"}, ids(good.results))
	require.Equal(t, []string{"b"}, ids(bad.results))
	require.Equal(t, 1, bad.writes, "a half without results is left in peace")
	require.True(t, good.closed && bad.closed)

	half := sink.Split(nil, nil)
	require.NoError(t, half.Write(t.Context(), []*batch.Result{success("a", 0), failure("b", 1)}))
	require.NoError(t, half.Close(t.Context()))
}

func TestSplitServesAndClosesBothHalvesWhenOneFails(t *testing.T) {
	broken := errors.New("broken")
	good, bad := recorder{err: broken}, recorder{}
	s := sink.Split(&good, &bad)
	require.ErrorIs(t, s.Write(t.Context(), []*batch.Result{success("a", 0), failure("b", 1)}), broken)
	require.Equal(t, []string{"b"}, ids(bad.results))
	require.ErrorIs(t, s.Close(t.Context()), broken)
	require.True(t, good.closed && bad.closed)
}

func TestSplitKnowsWhatEitherHalfHasDone(t *testing.T) {
	dir := t.TempDir()
	goodPath, badPath := filepath.Join(dir, "good.jsonl"), filepath.Join(dir, "bad.jsonl")
	for range 2 {
		s := sink.Split(open(t, goodPath, sink.FileOptions{}), open(t, badPath, sink.FileOptions{}))
		if s.Earlier().TotalRequests == 0 {
			require.NoError(t, s.Write(t.Context(), []*batch.Result{success("a", 0), failure("b", 1)}))
			require.NoError(t, s.Close(t.Context()))
			continue
		}
		require.Equal(t, 1, s.Earlier().SuccessfulRequests)
		require.Equal(t, 1, s.Earlier().FailedRequests)
		for id, want := range map[string]bool{"a": true, "b": true, "c": false} {
			done, err := s.Done(id, "v1:"+id)
			require.NoError(t, err)
			require.Equal(t, want, done, id)
		}
		_, err := s.Done("b", "v1:other")
		require.ErrorContains(t, err, badPath)
		require.NoError(t, s.Close(t.Context()))
	}
	forgetful := sink.Split(&recorder{}, nil)
	done, err := forgetful.Done("a", "v1:a")
	require.NoError(t, err)
	require.False(t, done)
	require.Zero(t, forgetful.Earlier())
}
