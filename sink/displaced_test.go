package sink_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// disturbed writes a record, has somebody disturb the file at path, and writes another. It returns the file and what Write
// said.
func disturbed(t *testing.T, path string, disturb func(path string)) (*sink.File, error) {
	t.Helper()
	f := open(t, path, sink.FileOptions{})
	require.NoError(t, f.Write(t.Context(), []*batch.Result{success("a", 0)}))
	disturb(path)
	err := f.Write(t.Context(), []*batch.Result{success("b", 1)})
	require.NoError(t, f.Close(t.Context()), "it is told once")
	return f, err
}

func requireWritten(t *testing.T, err error, want ...string) {
	t.Helper()
	var some *sink.PartialError
	if len(want) == 0 {
		require.NotErrorAs(t, err, &some)
		return
	}
	require.ErrorAs(t, err, &some)
	require.Equal(t, want, ids(some.Written))
}

func TestAFileThatIsTakenAwayIsPutBackWithAllItsResults(t *testing.T) {
	for name, disturb := range map[string]func(path string){
		"removed": func(path string) { require.NoError(t, os.Remove(path)) },
		"renamed": func(path string) { require.NoError(t, os.Rename(path, path+".away")) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "results.jsonl")
			f := open(t, path, sink.FileOptions{Mode: 0o640})
			require.NoError(t, f.Close(t.Context()))
			f, err := disturbed(t, path, disturb)
			require.EqualError(t, err, path+": it was removed or renamed during the run; its results are back in place: "+
				"run the same again to do the rest")
			requireWritten(t, err, "b")
			require.Equal(t, []string{"a", "b"}, ids(readLines(t, path)))
			require.Equal(t, path, f.Path())
			info, err := os.Stat(path)
			require.NoError(t, err)
			require.Equal(t, os.FileMode(0o640), info.Mode())

			again := open(t, path, sink.FileOptions{})
			require.Equal(t, 2, again.Earlier().TotalRequests)
		})
	}
}

func TestAFileThatIsTakenAwayAfterTheLastWriteIsPutBackAtClose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.jsonl")
	f := open(t, path, sink.FileOptions{})
	require.NoError(t, f.Write(t.Context(), []*batch.Result{success("a", 0)}))
	require.NoError(t, os.Remove(path))
	require.ErrorContains(t, f.Close(t.Context()), path+": it was removed or renamed during the run; its results are back in place")
	require.Equal(t, []string{"a"}, ids(readLines(t, path)))
}

func TestResultsOfEarlierRunsArePutBackToo(t *testing.T) {
	path := writeRecords(t, success("earlier", 7))
	_, err := disturbed(t, path, func(path string) { require.NoError(t, os.Remove(path)) })
	require.Error(t, err)
	require.Equal(t, []string{"earlier", "a", "b"}, ids(readLines(t, path)))
}

func TestSomebodyElsesFileIsLeftAsItIsAndTheResultsAreKeptBesideIt(t *testing.T) {
	other := filepath.Join(t.TempDir(), "other")
	for name, disturb := range map[string]func(path string){
		"file": func(path string) {
			require.NoError(t, os.WriteFile(other, []byte("Dear diary\n"), 0o600))
			require.NoError(t, os.Rename(other, path))
		},
		"longer file": func(path string) {
			require.NoError(t, os.WriteFile(other, []byte(strings.Repeat("Dear diary\n", 1000)), 0o600))
			require.NoError(t, os.Rename(other, path))
		},
		"directory": func(path string) {
			require.NoError(t, os.Remove(path))
			require.NoError(t, os.Mkdir(path, 0o700))
		},
		"link to nowhere": func(path string) {
			require.NoError(t, os.Remove(path))
			require.NoError(t, os.Symlink("somewhere", path))
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "results.jsonl")
			before := ""
			f, err := disturbed(t, path, func(path string) {
				disturb(path)
				if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
					before = readFile(t, path)
				}
			})
			require.Regexp(t, `during the run; its results are kept in \S+\.kept-\d+: move that file to `+path+` and run the same again$`,
				err.Error())
			requireWritten(t, err, "b")
			require.Contains(t, err.Error(), f.Path())
			require.NotEqual(t, path, f.Path())
			require.Equal(t, filepath.Dir(path), filepath.Dir(f.Path()))
			require.Equal(t, []string{"a", "b"}, ids(readLines(t, f.Path())))
			if before != "" {
				require.Equal(t, before, readFile(t, path))
			}
		})
	}
}

func TestResultsWhoseDirectoryIsGoneAreKeptWithTheTemporaryFiles(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	path := filepath.Join(t.TempDir(), "runs", "results.jsonl")
	require.NoError(t, os.Mkdir(filepath.Dir(path), 0o700))
	f, err := disturbed(t, path, func(path string) { require.NoError(t, os.RemoveAll(filepath.Dir(path))) })
	require.ErrorContains(t, err, path+": it was removed or renamed during the run; its results are kept in "+os.TempDir())
	require.Equal(t, []string{"a", "b"}, ids(readLines(t, f.Path())))
}

func TestResultsThatCannotBeKeptAnywhereAreNotClaimed(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "none"))
	path := filepath.Join(t.TempDir(), "runs", "results.jsonl")
	require.NoError(t, os.Mkdir(filepath.Dir(path), 0o700))
	_, err := disturbed(t, path, func(path string) { require.NoError(t, os.RemoveAll(filepath.Dir(path))) })
	require.ErrorContains(t, err, path+": it was removed or renamed during the run, and its results can't be kept: ")
	requireWritten(t, err)
}

func TestAFileIsPutBackWhereItsLinkLeads(t *testing.T) {
	for name, disturb := range map[string]func(path, link string){
		"the file is removed": func(path, _ string) { require.NoError(t, os.Remove(path)) },
		"the link is removed": func(_, link string) { require.NoError(t, os.Remove(link)) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "results.jsonl")
			require.NoError(t, os.WriteFile(path, nil, 0o600))
			link := filepath.Join(t.TempDir(), "link.jsonl")
			require.NoError(t, os.Symlink(path, link))
			_, err := disturbed(t, link, func(link string) { disturb(path, link) })
			require.ErrorContains(t, err, "its results are back in place")
			require.Equal(t, []string{"a", "b"}, ids(readLines(t, link)))
		})
	}
}

func TestAFileThatIsCutBreaksTheRunAndIsNotWrittenTo(t *testing.T) {
	for name, size := range map[string]int64{"to nothing": 0, "within a record": 20} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "results.jsonl")
			f, err := disturbed(t, path, func(path string) { require.NoError(t, os.Truncate(path, size)) })
			require.Regexp(t, `results\.jsonl: another program has cut it from \d+ to \d+ bytes: `+
				`run the same again to do what was lost; the last results are kept in \S+$`, err.Error())
			requireWritten(t, err)
			require.Equal(t, path, f.Path())
			info, statErr := os.Stat(path)
			require.NoError(t, statErr)
			require.Equal(t, size, info.Size())
			_, kept, _ := strings.Cut(err.Error(), "kept in ")
			require.Equal(t, []string{"b"}, ids(readLines(t, kept)))
			open(t, path, sink.FileOptions{})
		})
	}
}

func TestAFileThatIsCutAfterTheLastWriteIsToldByClose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.jsonl")
	f := open(t, path, sink.FileOptions{})
	require.NoError(t, f.Write(t.Context(), []*batch.Result{success("a", 0)}))
	require.NoError(t, os.Truncate(path, 0))
	require.ErrorContains(t, f.Close(t.Context()), "to 0 bytes: run the same again to do what was lost")
	requireNothingBeside(t, path)
}

func TestAnEmptyFileThatIsTakenAwayIsTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.jsonl")
	f := open(t, path, sink.FileOptions{})
	require.NoError(t, os.Remove(path))
	require.ErrorContains(t, f.Close(t.Context()), path+": it was removed or renamed during the run, before it had results")
}

func TestTheModeIsThatOfNewFilesOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.jsonl")
	for _, test := range []struct{ given, want os.FileMode }{{0o600, 0o600}, {0o640, 0o600}, {0, 0o600}} {
		require.NoError(t, open(t, path, sink.FileOptions{Mode: test.given}).Close(t.Context()))
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, test.want, info.Mode())
	}
}
