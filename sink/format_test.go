package sink

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// poems is a format with a header, whose records are of two lines: what a File promises holds for any format.
type poems struct{}

const poemsHeader = "poems\n"

func (poems) header() []byte { return []byte(poemsHeader) }

func (poems) appendRecord(dst []byte, r *batch.Result) ([]byte, error) {
	if r.ID == "" {
		return dst, errors.New("want an id")
	}
	return fmt.Appendf(dst, "%s\n%t.\n", r.ID, r.Success), nil
}

func (poems) records(path string, r io.Reader) recordReader {
	data, err := io.ReadAll(r)
	return &poemReader{path: path, data: string(data), err: err}
}

type poemReader struct {
	path, data string
	last       found
	ending     ending
	err        error
}

func (r *poemReader) found() *found { return &r.last }

func (r *poemReader) end() (ending, error) { return r.ending, r.err }

func (r *poemReader) next() bool {
	if r.ending.offset == 0 {
		if _, ok := strings.CutPrefix(r.data, poemsHeader); !ok {
			r.tear(r.data, strings.HasPrefix(poemsHeader, r.data))
			return false
		}
		r.ending.offset = int64(len(poemsHeader))
	}
	rest := r.data[r.ending.offset:]
	text, _, whole := strings.Cut(rest, ".")
	if !whole {
		r.tear(rest, true)
		return false
	}
	id, success, _ := strings.Cut(text, "\n")
	r.last = found{record: record{id: id, success: success == "true"}, text: []byte(text + "."), start: r.ending.offset}
	r.ending.bare = len(rest) == len(text)+1
	r.ending.offset += int64(min(len(text)+2, len(rest)))
	return true
}

func (r *poemReader) tear(rest string, ours bool) {
	if r.ending.torn = int64(len(rest)); !ours {
		r.err = fmt.Errorf("%s: line 1: %w", r.path, errNotARecord)
	}
}

func poem(id string, success bool) *batch.Result { return &batch.Result{ID: id, Success: success} }

func openPoems(tb testing.TB, path string, options FileOptions) *File {
	tb.Helper()
	options.Sync = SyncNever
	f, err := openFile(path, poems{}, &options)
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = f.Close(tb.Context()) })
	return f
}

func read(tb testing.TB, path string) string {
	tb.Helper()
	data, err := os.ReadFile(path)
	require.NoError(tb, err)
	return string(data)
}

func TestAHeaderIsWrittenOnceAndIsNoRecord(t *testing.T) {
	path := filepath.Join(t.TempDir(), "poems")
	for i := range 3 {
		f := openPoems(t, path, FileOptions{})
		require.Equal(t, poemsHeader, read(t, path)[:len(poemsHeader)], "before the first record")
		require.Equal(t, i, f.Earlier().TotalRequests)
		require.Zero(t, f.Recovered())
		require.NoError(t, f.Write(t.Context(), []*batch.Result{poem(fmt.Sprint(i), i > 0)}))
		require.NoError(t, f.Close(t.Context()))
	}
	require.Equal(t, poemsHeader+"0\nfalse.\n1\ntrue.\n2\ntrue.\n", read(t, path))

	f := openPoems(t, path, FileOptions{RerunFailed: true})
	require.Equal(t, Recovery{RemovedFailed: 1}, f.Recovered())
	require.NoError(t, f.Close(t.Context()))
	require.Equal(t, poemsHeader+"1\ntrue.\n2\ntrue.\n", read(t, path))

	require.NoError(t, openPoems(t, path, FileOptions{Overwrite: true}).Close(t.Context()))
	require.Equal(t, poemsHeader, read(t, path))
}

func TestAFileCutAnywhereKeepsItsWholeRecordsOfSeveralLines(t *testing.T) {
	const whole = poemsHeader + "a\ntrue.\nb\nfalse.\n"
	path := filepath.Join(t.TempDir(), "poems")
	for cut := range len(whole) + 1 {
		require.NoError(t, os.WriteFile(path, []byte(whole[:cut]), 0o600))
		f := openPoems(t, path, FileOptions{})
		require.Equal(t, strings.Count(whole[:cut], "."), f.Earlier().TotalRequests)
		require.Equal(t, cut > 0 && whole[cut-1] == '.', f.Recovered().CompletedLine)
		require.NoError(t, f.Write(t.Context(), []*batch.Result{poem("a", true), poem("b", false)}[f.Earlier().TotalRequests:]))
		require.NoError(t, f.Close(t.Context()))
		require.Equal(t, whole, read(t, path), "cut at %d", cut)
	}
}

func TestAFullDiskLeavesWholeRecordsOfSeveralLines(t *testing.T) {
	const first, rest = poemsHeader + "a\ntrue.\n", "b\ntrue.\nc\ntrue.\n"
	for room := range len(rest) {
		path := filepath.Join(t.TempDir(), "poems")
		f := openPoems(t, path, FileOptions{})
		require.NoError(t, f.Write(t.Context(), []*batch.Result{poem("a", true)}))
		f.store.(*plain).out = &tornWriter{file: f.file, room: room}
		err := f.Write(t.Context(), []*batch.Result{poem("b", true), poem("c", true)})
		require.ErrorIs(t, err, syscall.ENOSPC)
		kept := rest[:strings.LastIndex(rest[:room], "\n")+1]
		if strings.Count(kept, "\n")%2 == 1 {
			kept = kept[:strings.LastIndex(kept[:len(kept)-1], "\n")+1]
		}
		require.Equal(t, first+kept, read(t, path))
		require.Len(t, writtenOf(nil, err), strings.Count(kept, "."))
	}
}

func TestRecordsOfACutFileAreKeptWithTheirHeader(t *testing.T) {
	path := filepath.Join(t.TempDir(), "poems")
	f := openPoems(t, path, FileOptions{})
	require.NoError(t, f.Write(t.Context(), []*batch.Result{poem("a", true)}))
	require.NoError(t, os.Truncate(path, 3))
	err := f.Write(t.Context(), []*batch.Result{poem("b", true)})
	_, kept, ok := strings.Cut(err.Error(), "kept in ")
	require.True(t, ok, "%v", err)
	require.Equal(t, poemsHeader+"b\ntrue.\n", read(t, kept))
}

func TestAFileWithAHeaderAloneHasNoResultsToPutBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "poems")
	f := openPoems(t, path, FileOptions{})
	require.NoError(t, os.Remove(path))
	require.ErrorContains(t, f.Close(t.Context()), "before it had results")
}

func TestAFileWithAnotherHeaderIsRefusedAndLeftAsItIs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "poems")
	require.NoError(t, os.WriteFile(path, []byte("prose\na\ntrue.\n"), 0o600))
	for _, options := range []FileOptions{{}, {RerunFailed: true}} {
		_, err := openFile(path, poems{}, &options)
		require.ErrorIs(t, err, errNotARecord)
		require.Equal(t, "prose\na\ntrue.\n", read(t, path))
	}
}

func TestAStreamAndAPipeHaveTheirHeaderOnce(t *testing.T) {
	var out bytes.Buffer
	s := newStream(&out, poems{})
	require.ErrorContains(t, s.Write(t.Context(), []*batch.Result{{}}), "encoding the result of request 1")
	require.NoError(t, s.Write(t.Context(), []*batch.Result{poem("a", true)}))
	require.NoError(t, s.Write(t.Context(), []*batch.Result{poem("b", true)}))
	require.NoError(t, s.Close(t.Context()))
	require.Equal(t, poemsHeader+"a\ntrue.\nb\ntrue.\n", out.String())

	out.Reset()
	require.NoError(t, newStream(&out, poems{}).Close(t.Context()))
	require.Equal(t, poemsHeader, out.String(), "without results, too")

	require.NoError(t, openPoems(t, os.DevNull, FileOptions{}).Close(t.Context()))
	if _, err := os.Stat("/dev/full"); err == nil {
		_, err = openFile("/dev/full", poems{}, &FileOptions{})
		require.ErrorIs(t, err, syscall.ENOSPC)
	}
}
