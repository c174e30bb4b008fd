package sink

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// tornWriter writes so many bytes to the file and then finds the disk full.
type tornWriter struct {
	file *os.File
	room int
}

func (w *tornWriter) Write(p []byte) (int, error) {
	n, err := w.file.Write(p[:min(w.room, len(p))])
	if w.room -= n; err == nil && n < len(p) {
		err = &os.PathError{Op: "write", Path: w.file.Name(), Err: syscall.ENOSPC}
	}
	return n, err
}

func TestAFullDiskLeavesWholeRecords(t *testing.T) {
	results := []*batch.Result{{ID: "a", Success: true}, {ID: "b", Index: 1, Success: true}, {ID: "c", Index: 2, Success: true}}
	path := filepath.Join(t.TempDir(), "results.jsonl")
	for room := range 300 {
		f, err := OpenJSONL(path, FileOptions{Overwrite: true, Sync: SyncNever})
		require.NoError(t, err)
		require.NoError(t, f.Write(t.Context(), results[:1]))
		earlier := f.store.size()
		f.store.(*plain).out = &tornWriter{file: f.file, room: room}
		err = f.Write(t.Context(), results[1:])
		size := f.store.size()
		require.NoError(t, f.Close(t.Context()))

		data, readErr := os.ReadFile(path)
		require.NoError(t, readErr)
		require.Len(t, data, int(size))
		require.True(t, strings.HasSuffix(string(data), "\n"))
		whole := jsonLines{}.records(path, strings.NewReader(string(data)))
		count := 0
		for ; whole.next(); count++ {
			require.Equal(t, results[count].ID, whole.found().id)
		}
		_, readErr = whole.end()
		require.NoError(t, readErr)
		if err == nil {
			require.Equal(t, 3, count)
			return
		}
		require.ErrorIs(t, err, syscall.ENOSPC)
		require.ErrorContains(t, err, path)
		require.Len(t, writtenOf(nil, err), count-1, "what the error says is what the file has")
		require.GreaterOrEqual(t, size, earlier)
	}
	t.Fatal("there was never room enough")
}

func TestALineInTheWindowIsFoundWhereverItEnds(t *testing.T) {
	var data strings.Builder
	var offsets []int64
	for i := range 40 {
		offsets = append(offsets, int64(data.Len()))
		data.WriteString(strings.Repeat(string(rune('a'+i%26)), 1+i*7919%(windowSize+windowSize/2)) + "\n")
	}
	w := window{file: strings.NewReader(data.String())}
	for _, step := range []int{1, 7, 39} { // forward, to and fro, backward
		for i := range offsets {
			at := i * step % len(offsets)
			line, err := w.line(offsets[at])
			require.NoError(t, err)
			require.Equal(t, strings.Repeat(string(rune('a'+at%26)), 1+at*7919%(windowSize+windowSize/2)), string(line))
		}
	}
	_, err := w.line(int64(data.Len()))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}
