package sink_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/sink/sinktest"
	"github.com/gluepipe/gluepipe/stages/batch"
)

var extensions = []string{".gz", ".zst"}

// compress compresses text as other programs do.
func compress(tb testing.TB, extension, text string) string {
	tb.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	zip.Name = "results.jsonl"
	var w io.WriteCloser = zip
	if extension == ".zst" {
		encoder, err := zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1))
		require.NoError(tb, err)
		w = encoder
	}
	_, err := io.WriteString(w, text)
	require.NoError(tb, err)
	require.NoError(tb, w.Close())
	return out.String()
}

// decompress reads what must be as other programs want it.
func decompress(tb testing.TB, path string) string {
	tb.Helper()
	file, err := os.Open(path)
	require.NoError(tb, err)
	defer func() { _ = file.Close() }()
	var r io.Reader
	if strings.HasPrefix(readFile(tb, path), "\x1f\x8b") {
		r, err = gzip.NewReader(file)
		require.NoError(tb, err)
	} else {
		decoder, err := zstd.NewReader(file, zstd.WithDecoderConcurrency(1))
		require.NoError(tb, err)
		defer decoder.Close()
		r = decoder
	}
	text, err := io.ReadAll(r)
	require.NoError(tb, err)
	return string(text)
}

func eachExtension(t *testing.T, test func(t *testing.T, extension string)) {
	t.Helper()
	for _, extension := range extensions {
		t.Run(extension, func(t *testing.T) { test(t, extension) })
	}
}

func TestCompressedFilesConform(t *testing.T) {
	eachExtension(t, func(t *testing.T, extension string) {
		sinktest.Run(t, sinktest.Harness{
			Open: func(t *testing.T) (batch.Sink, func() []*batch.Result) {
				t.Helper()
				path := filepath.Join(t.TempDir(), "results.jsonl"+extension)
				return open(t, path, sink.FileOptions{}), func() []*batch.Result {
					return parseLines(t, []byte(decompress(t, path)))
				}
			},
			Broken: func(t *testing.T) (batch.Sink, string) {
				t.Helper()
				if _, err := os.Stat("/dev/full"); err != nil {
					t.Skip("no /dev/full here")
				}
				path := filepath.Join(t.TempDir(), "full"+extension)
				require.NoError(t, os.Symlink("/dev/full", path))
				return open(t, path, sink.FileOptions{}), "no space left on device"
			},
		})
	})
}

func TestACompressedFileIsContinuedAndItsFailuresRerun(t *testing.T) {
	eachExtension(t, func(t *testing.T, extension string) {
		path := filepath.Join(t.TempDir(), "results.jsonl"+extension)
		first := open(t, path, sink.FileOptions{})
		require.NoError(t, first.Write(t.Context(), []*batch.Result{success("a", 0), failure("b", 1)}))
		records, err := sink.ReadRecords(path)
		require.NoError(t, err, "a run may be writing it")
		require.Equal(t, 2, records.Earlier().TotalRequests)
		require.NoError(t, first.Write(t.Context(), []*batch.Result{success("c", 2)}))
		require.NoError(t, first.Close(t.Context()))

		second := open(t, path, sink.FileOptions{RerunFailed: true})
		require.Equal(t, sink.Recovery{RemovedFailed: 1}, second.Recovered())
		require.Equal(t, 2, second.Earlier().SuccessfulRequests)
		_, err = sink.OpenJSONL(path, sink.FileOptions{})
		require.ErrorContains(t, err, "another run is writing it")
		_, err = second.Done("a", "v1:changed")
		require.ErrorContains(t, err, "its fingerprint was v1:a and is v1:changed")
		require.NoError(t, second.Write(t.Context(), []*batch.Result{success("b", 1)}))
		require.NoError(t, second.Close(t.Context()))
		require.Equal(t, string(linesOf(t, success("a", 0), success("c", 2), success("b", 1))), decompress(t, path))

		third := open(t, path, sink.FileOptions{RerunFailed: true})
		require.Zero(t, third.Recovered())
		require.Equal(t, 3, third.Earlier().TotalRequests)
	})
}

func TestACompressedFileWithoutResultsIsWellFormed(t *testing.T) {
	eachExtension(t, func(t *testing.T, extension string) {
		path := filepath.Join(t.TempDir(), "results.jsonl"+extension)
		require.NoError(t, open(t, path, sink.FileOptions{}).Close(t.Context()))
		require.Empty(t, decompress(t, path))
		f := open(t, path, sink.FileOptions{})
		require.NoError(t, f.Write(t.Context(), []*batch.Result{failure("a", 0)}))
		require.NoError(t, f.Close(t.Context()))
		require.NoError(t, open(t, path, sink.FileOptions{RerunFailed: true}).Close(t.Context()))
		require.Empty(t, decompress(t, path))
	})
}

func TestWhatAFileHoldsDecidesHowItIsContinuedAndItsNameWhereItIsEmpty(t *testing.T) {
	lines := string(linesOf(t, success("a", 0)))
	for name, c := range map[string]struct {
		path, content string
		options       sink.FileOptions
		compressed    bool
	}{
		"text in a .gz":             {"results.gz", lines, sink.FileOptions{}, false},
		"gzip without .gz":          {"results.jsonl", compress(t, ".gz", lines), sink.FileOptions{}, true},
		"zstd in a .gz":             {"results.gz", compress(t, ".zst", lines), sink.FileOptions{}, true},
		"nothing in a .GZ":          {"results.GZ", "", sink.FileOptions{}, true},
		"nothing in a .jsonl":       {"results.jsonl", "", sink.FileOptions{}, false},
		"a .zst that is emptied":    {"results.zst", lines, sink.FileOptions{Overwrite: true}, true},
		"gzip that is emptied":      {"results.jsonl", compress(t, ".gz", lines), sink.FileOptions{Overwrite: true}, false},
		"gzip of several members":   {"a.gz", compress(t, ".gz", lines[:9]) + compress(t, ".gz", lines[9:]), sink.FileOptions{}, true},
		"gzip without its newline":  {"a.gz", compress(t, ".gz", strings.TrimSpace(lines)), sink.FileOptions{}, true},
		"gzip of a record torn off": {"a.gz", compress(t, ".gz", lines+lines[:9]), sink.FileOptions{}, true},
		"zstd of a record torn off": {"a.zst", compress(t, ".zst", lines) + compress(t, ".zst", lines[:9]), sink.FileOptions{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), c.path)
			require.NoError(t, os.WriteFile(path, []byte(c.content), 0o600))
			f := open(t, path, c.options)
			earlier := f.Earlier().TotalRequests
			require.Equal(t, c.content != "" && !c.options.Overwrite, earlier == 1)
			require.NoError(t, f.Write(t.Context(), []*batch.Result{success("b", 1)}))
			require.NoError(t, f.Close(t.Context()))
			text := readFile(t, path)
			require.Equal(t, !c.compressed, strings.HasPrefix(text, "{"))
			if c.compressed {
				text = decompress(t, path)
			}
			require.Equal(t, strings.Repeat(lines, earlier)+string(linesOf(t, success("b", 1))), text)
		})
	}
}

func TestACompressedFileOfSomethingElseOrBrokenIsRefusedAndLeftAsItIs(t *testing.T) {
	lines := strings.Repeat(string(linesOf(t, success("a", 0), failure("b", 1))), 300)
	eachExtension(t, func(t *testing.T, extension string) {
		broken := []byte(compress(t, extension, lines) + compress(t, extension, lines))
		broken[len(broken)/4] ^= 0x55
		for name, c := range map[string]struct{ content, want string }{
			"a table":     {compress(t, extension, "id,success\na,true\n"), "line 1: not a result record"},
			"half a book": {compress(t, extension, strings.Repeat("Call me Ishmael. ", 1000))[:24], ""},
			"bytes":       {"\x00\x01\x02 anything", "line 1: not a result record"},
			"broken":      {string(broken), ""},
			"more":        {compress(t, extension, lines) + "and more, of no use to anybody", "the compressed data is broken: "},
		} {
			for _, options := range []sink.FileOptions{{}, {RerunFailed: true}} {
				path := filepath.Join(t.TempDir(), "results"+extension)
				require.NoError(t, os.WriteFile(path, []byte(c.content), 0o600))
				_, err := sink.OpenJSONL(path, options)
				require.ErrorContains(t, err, path, name)
				require.ErrorContains(t, err, c.want, name)
				require.ErrorContains(t, err, "choose another output, or overwrite this one", name)
				require.Equal(t, c.content, readFile(t, path), name)
				requireNothingBeside(t, path)
			}
		}
	})
}

func TestACompressedFileThatIsTakenAwayIsPutBackWellFormed(t *testing.T) {
	eachExtension(t, func(t *testing.T, extension string) {
		path := filepath.Join(t.TempDir(), "results"+extension)
		f, err := disturbed(t, path, func(path string) { require.NoError(t, os.Remove(path)) })
		require.ErrorContains(t, err, "its results are back in place")
		requireWritten(t, err, "b")
		require.Equal(t, string(linesOf(t, success("a", 0), success("b", 1))), decompress(t, f.Path()))

		_, err = disturbed(t, path, func(path string) { require.NoError(t, os.Rename(writeFile(t, "Dear diary\n"), path)) })
		require.ErrorContains(t, err, "another file took its place during the run; its results are kept in "+path+".kept-")
		require.Equal(t, "Dear diary\n", readFile(t, path))
	})
}

func TestNothingIsAddedToACompressedFileThatAnotherProgramHasCutOrGrown(t *testing.T) {
	eachExtension(t, func(t *testing.T, extension string) {
		for size, want := range map[int64]string{5: "another program has cut it", 5000: "another program has changed it"} {
			path := filepath.Join(t.TempDir(), "results"+extension)
			f := open(t, path, sink.FileOptions{})
			require.NoError(t, f.Write(t.Context(), []*batch.Result{success("a", 0)}))
			require.NoError(t, os.Truncate(path, size))
			changed := readFile(t, path)
			for range 2 {
				require.ErrorContains(t, f.Write(t.Context(), []*batch.Result{success("b", 1)}), want)
				want = "another program has changed it"
			}
			_ = f.Close(t.Context())
			require.Equal(t, changed, readFile(t, path))
		}
	})
}

func TestAResponseIsMadeOfCompressedFilesAndCompressedByItsName(t *testing.T) {
	eachExtension(t, func(t *testing.T, extension string) {
		dir := t.TempDir()
		f := open(t, filepath.Join(dir, "results.jsonl"+extension), sink.FileOptions{})
		path := filepath.Join(dir, "response.json"+extension)
		s, err := sink.Response(path, sink.ResponseOptions{From: []*sink.File{f}})
		require.NoError(t, err)
		require.NoError(t, f.Write(t.Context(), []*batch.Result{success("c", 2), failure("a", 0)}))
		require.NoError(t, f.Write(t.Context(), []*batch.Result{success("b", 1)}))
		require.NoError(t, s.Close(t.Context()), "the file isn't closed yet")
		require.NoError(t, f.Close(t.Context()))
		plain := filepath.Join(dir, "response.json")
		require.NoError(t, os.WriteFile(plain, []byte(decompress(t, path)), 0o600))
		require.Equal(t, []string{"a", "b", "c"}, ids(readResponse(t, plain).Results))
		require.NoError(t, sink.WriteResponse(plain, f.Path(), sink.ResponseTotals{}))
		require.Equal(t, []string{"a", "b", "c"}, ids(readResponse(t, plain).Results))
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Len(t, entries, 3)
	})
}
