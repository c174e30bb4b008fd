package parquet_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/sink/parquet"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// files are what a run that was killed leaves, by what their names have behind out.parquet.
type files map[string][]byte

func snapshot(t *testing.T, path string) files {
	t.Helper()
	left := files{}
	for _, suffix := range []string{"", ".results.jsonl", ".tmp"} {
		if data, err := os.ReadFile(path + suffix); err == nil {
			left[suffix] = data
		}
	}
	return left
}

func (f files) leave(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "out.parquet")
	for suffix, data := range f {
		if data != nil {
			require.NoError(t, os.WriteFile(path+suffix, data, 0o600))
		}
	}
	return path
}

func TestAKillAtAnyStepLosesAndDoublesNothing(t *testing.T) {
	for _, c := range []struct {
		name     string
		before   []string // in the Parquet file already
		rerun    bool
		ids      []string
		want     string
		requests int
	}{
		{name: "first run", ids: []string{"a", "f1", "b"}, want: "a f1 b z", requests: 3},
		{name: "continued", before: []string{"a", "f1"}, ids: []string{"b", "f2"}, want: "a f1 b f2 z", requests: 4},
		{name: "rerun", before: []string{"a", "f1", "f2"}, rerun: true, ids: []string{"f1"}, want: "a f2 f1 z", requests: 3},
	} {
		path := filepath.Join(t.TempDir(), "out.parquet")
		if c.before != nil {
			run(t, path, c.before...)
		}
		f := open(t, path, parquet.Options{FileOptions: sink.FileOptions{RerunFailed: c.rerun}})
		write(t, f, c.ids...)
		unmade := snapshot(t, path)
		require.NotEmpty(t, unmade[".results.jsonl"])
		require.NoError(t, f.Close(t.Context()))
		made := snapshot(t, path)[""]
		base, journal := unmade[""], unmade[".results.jsonl"]
		for step, left := range map[string]files{
			"before Close":            unmade,
			"before a byte is made":   {"": base, ".results.jsonl": journal, ".tmp": {}},
			"while it is made":        {"": base, ".results.jsonl": journal, ".tmp": made[:len(made)/2]},
			"before it takes place":   {"": base, ".results.jsonl": journal, ".tmp": made},
			"before the journal goes": {"": made, ".results.jsonl": journal},
			"at the end":              {"": made},
		} {
			t.Run(c.name+"/"+step, func(t *testing.T) {
				path := left.leave(t)
				f := open(t, path, parquet.Options{})
				require.Equal(t, c.requests, f.Earlier().TotalRequests)
				for _, id := range append(c.before, c.ids...) {
					done, err := f.Done(id, "v1:"+id)
					require.NoError(t, err)
					require.True(t, done, id)
				}
				write(t, f, "z")
				require.NoError(t, f.Close(t.Context()))
				require.Equal(t, c.want, idsOf(t, path))
				requireNothingBeside(t, path)
			})
		}
	}
}

func TestAJournalCutAnywhereKeepsItsWholeRecords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.parquet")
	f := open(t, path, parquet.Options{})
	write(t, f, "a", "f1", "b")
	left := snapshot(t, path)
	require.NoError(t, f.Close(t.Context()))
	journal := left[".results.jsonl"]
	for cut := 0; cut <= len(journal); cut += 5 {
		path := files{".results.jsonl": journal[:cut]}.leave(t)
		f := open(t, path, parquet.Options{})
		todo := []string{}
		for _, id := range []string{"a", "f1", "b"} {
			if done, err := f.Done(id, "v1:"+id); err == nil && !done {
				todo = append(todo, id)
			}
		}
		write(t, f, todo...)
		require.NoError(t, f.Close(t.Context()))
		require.Equal(t, "a f1 b", idsOf(t, path), "cut at %d", cut)
	}
}

func TestARowWithANewResultCountsOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.parquet")
	run(t, path, "f1", "a")
	f := open(t, path, parquet.Options{FileOptions: sink.FileOptions{RerunFailed: true}})
	write(t, f, "f1")
	killed := snapshot(t, path).leave(t)
	require.NoError(t, f.Close(t.Context()))
	f = open(t, killed, parquet.Options{})
	require.Equal(t, 2, f.Earlier().TotalRequests)
	require.Equal(t, map[batch.ErrorKind]int{batch.ErrServer: 1}, f.Earlier().FailedByType)
	require.NoError(t, f.Close(t.Context()))
	require.Equal(t, "a f1", idsOf(t, killed))
}

func TestMakingTheFileIsCutShortWithItsContextAndFinishedByTheNextRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.parquet")
	run(t, path, "a", "b")
	f := open(t, path, parquet.Options{})
	write(t, f, "c")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("interrupted"))
	for range 2 {
		require.EqualError(t, f.Close(ctx), "making "+path+": interrupted; the results are kept in "+
			path+".results.jsonl: run the same again to finish it")
	}
	require.NoFileExists(t, path+".tmp")
	require.Equal(t, "a b", idsOf(t, path))
	run(t, path)
	require.Equal(t, "a b c", idsOf(t, path))
}
