package sink

import (
	"bytes"
	stdgzip "compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// wellFormed returns the text of a compressed file, which must be as other programs want it.
func wellFormed(tb testing.TB, path string) string {
	tb.Helper()
	data, err := os.ReadFile(path)
	require.NoError(tb, err)
	var r io.Reader
	if bytes.HasPrefix(data, []byte(gzipCodec.magic)) {
		r, err = stdgzip.NewReader(bytes.NewReader(data))
	} else {
		decoder, zstdErr := zstd.NewReader(bytes.NewReader(data), zstd.WithDecoderConcurrency(1))
		r, err = decoder, zstdErr
		defer decoder.Close()
	}
	require.NoError(tb, err)
	text, err := io.ReadAll(r)
	require.NoError(tb, err)
	return string(text)
}

func resultOf(n int) *batch.Result {
	return &batch.Result{ID: fmt.Sprintf("r%d", n), Index: int64(n), Success: n%3 > 0, Response: strings.Repeat(fmt.Sprint(n), n%7)}
}

// died writes results in two runs, of which the second was killed after its last Write. It returns what is on the disk, and
// for each of its lengths how many of the results were safe when it had that length.
func died(t *testing.T, path string, format format) (data []byte, safe map[int]int, want []*batch.Result) {
	t.Helper()
	safe = map[int]int{0: 0}
	for run, sizes := range [][]int{{1, 2}, {1, 3, 1}} {
		f, err := openFile(path, format, &FileOptions{Sync: SyncNever})
		require.NoError(t, err)
		for _, size := range sizes {
			var results []*batch.Result
			for range size {
				results = append(results, resultOf(len(want)+len(results)))
			}
			require.NoError(t, f.Write(t.Context(), results))
			want = append(want, results...)
			data, err = os.ReadFile(path)
			require.NoError(t, err)
			safe[len(data)] = len(want)
		}
		if run == 0 {
			require.NoError(t, f.Close(t.Context()))
		} else {
			t.Cleanup(func() { _ = f.Close(context.Background()) })
		}
	}
	return data, safe, want
}

// textOfResults is what a file of these results says.
func textOfResults(t *testing.T, format format, results []*batch.Result) string {
	t.Helper()
	e := encoder{format: format}
	records, err := e.encode(results)
	require.NoError(t, err)
	return string(format.header()) + string(records.data)
}

func eachCodec(t *testing.T, test func(t *testing.T, extension string, format format)) {
	t.Helper()
	csv, err := newCSVFormat(nil, 0)
	require.NoError(t, err)
	for _, c := range codecs {
		for name, format := range map[string]format{"jsonl": jsonLines{}, "batch": batchLines{}, "csv": csv, "poems": poems{}} {
			t.Run(name+c.extension, func(t *testing.T) { test(t, c.extension, format) })
		}
	}
}

// A process can die at any byte of a write.
func TestACompressedFileThatBreaksOffAnywhereKeepsWhatWasWritten(t *testing.T) {
	eachCodec(t, func(t *testing.T, extension string, format format) {
		dir := t.TempDir()
		data, safe, want := died(t, filepath.Join(dir, "whole"+extension), format)
		path, least := filepath.Join(t.TempDir(), "results"+extension), 0
		added := resultOf(99)
		_, everywhere := format.(jsonLines) // mending waits for the disk
		for cut := range len(data) + 1 {
			n, boundary := safe[cut]
			if boundary {
				least = n
			} else if !everywhere && cut%11 > 0 {
				continue
			}
			require.NoError(t, os.WriteFile(path, data[:cut], 0o600))
			before, err := readRecords(path, format)
			require.NoError(t, err, "cut at %d", cut)
			require.NoError(t, os.WriteFile(rerunPath(path), []byte("a run was killed while it mended"), 0o600))

			f, err := openFile(path, format, &FileOptions{Sync: SyncNever})
			require.NoError(t, err, "cut at %d", cut)
			kept := f.Earlier().TotalRequests
			require.GreaterOrEqual(t, kept, least, "cut at %d", cut)
			require.Equal(t, before.Earlier(), f.Earlier())
			require.NoError(t, f.Write(t.Context(), []*batch.Result{added}))
			require.NoError(t, f.Close(t.Context()))
			text := textOfResults(t, format, append(want[:kept:kept], added))
			require.Equal(t, text, wellFormed(t, path), "cut at %d", cut)

			again, err := openFile(path, format, &FileOptions{Sync: SyncNever})
			require.NoError(t, err)
			require.Zero(t, again.Recovered(), "there is nothing left to mend")
			require.NoError(t, again.Close(t.Context()))
			require.Equal(t, text, wellFormed(t, path))
			entries, err := os.ReadDir(filepath.Dir(path))
			require.NoError(t, err)
			require.Len(t, entries, 1)
		}
		require.Equal(t, len(want), least)
	})
}

func TestAFullDiskLeavesACompressedFileThatGoesOn(t *testing.T) {
	eachCodec(t, func(t *testing.T, extension string, format format) {
		path := filepath.Join(t.TempDir(), "results"+extension)
		for room := 0; ; room++ {
			f, err := openFile(path, format, &FileOptions{Overwrite: true, Sync: SyncNever})
			require.NoError(t, err)
			require.NoError(t, f.Write(t.Context(), []*batch.Result{resultOf(0)}))
			store := f.store.(*compressed)
			store.out = &tornWriter{file: f.file, room: room}
			err = f.Write(t.Context(), []*batch.Result{resultOf(1), resultOf(2)})
			want := []*batch.Result{resultOf(0), resultOf(1), resultOf(2)}
			full := err != nil
			if full {
				require.ErrorIs(t, err, syscall.ENOSPC)
				require.ErrorContains(t, err, path)
				require.Empty(t, writtenOf(nil, err))
				want = want[:1]
			}
			store.out = f.file // there is room again
			require.NoError(t, f.Write(t.Context(), []*batch.Result{resultOf(3)}))
			require.NoError(t, f.Close(t.Context()))
			require.Equal(t, textOfResults(t, format, append(want, resultOf(3))), wellFormed(t, path), "room for %d bytes", room)
			if !full {
				return
			}
		}
	})
}

func TestADiskThatIsFullAtTheEndLeavesACompressedFileThatIsMended(t *testing.T) {
	eachCodec(t, func(t *testing.T, extension string, format format) {
		path := filepath.Join(t.TempDir(), "results"+extension)
		f, err := openFile(path, format, &FileOptions{Sync: SyncNever})
		require.NoError(t, err)
		require.NoError(t, f.Write(t.Context(), []*batch.Result{resultOf(0)}))
		f.store.(*compressed).out = &tornWriter{file: f.file, room: 1}
		err = f.Close(t.Context())
		require.ErrorIs(t, err, syscall.ENOSPC)
		require.ErrorContains(t, err, "writing the end of results: write "+path)
		f, err = openFile(path, format, &FileOptions{Sync: SyncNever})
		require.NoError(t, err)
		require.Equal(t, 1, f.Earlier().TotalRequests)
		require.NoError(t, f.Close(t.Context()))
		require.Equal(t, textOfResults(t, format, []*batch.Result{resultOf(0)}), wellFormed(t, path))
	})
}

func TestZerosAfterALossOfPowerAreCutFromACompressedFile(t *testing.T) {
	eachCodec(t, func(t *testing.T, extension string, format format) {
		path := filepath.Join(t.TempDir(), "results"+extension)
		data, safe, want := died(t, path, format)
		for length, kept := range safe {
			if kept == 0 {
				continue
			}
			zeros := append(bytes.Clone(data[:length]), make([]byte, 5000)...)
			path := filepath.Join(t.TempDir(), "zeros"+extension)
			require.NoError(t, os.WriteFile(path, zeros, 0o600))
			f, err := openFile(path, format, &FileOptions{Sync: SyncNever})
			require.NoError(t, err)
			require.NoError(t, f.Close(t.Context()))
			require.Equal(t, textOfResults(t, format, want[:kept]), wellFormed(t, path))
		}
	})
}

func TestMembersOfACompressedFileAreOfAMegabyteAndItsRatioIsGood(t *testing.T) {
	for _, c := range codecs {
		t.Run(c.extension, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "results"+c.extension)
			f, err := OpenJSONL(path, FileOptions{Sync: SyncNever})
			require.NoError(t, err)
			for i := range 4000 {
				r := resultOf(i)
				r.Response = strings.Repeat("The capital of France is Paris. ", 30)
				require.NoError(t, f.Write(t.Context(), []*batch.Result{r}))
			}
			require.NoError(t, f.Close(t.Context()))
			file, err := os.Open(path)
			require.NoError(t, err)
			defer func() { _ = file.Close() }()
			reader := newTextReader(c, file)
			n, err := io.Copy(io.Discard, reader)
			require.NoError(t, err)
			require.Greater(t, n, int64(4<<20))
			require.Len(t, reader.ends, int(n/memberSize)+1)
			require.Equal(t, len(wellFormed(t, path)), int(n))
			info, err := file.Stat()
			require.NoError(t, err)
			require.Less(t, info.Size(), n/5)
		})
	}
}
