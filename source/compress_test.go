package source_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/source/sourcetest"
	"github.com/gluepipe/gluepipe/stages/batch"
)

var compressors = map[string]func(tb testing.TB, text string) string{"gzip": gzipped, "zstd": zstandard}

func gzipped(tb testing.TB, text string) string {
	tb.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Name = "requests.jsonl" // as the program gives
	_, err := io.WriteString(w, text)
	require.NoError(tb, err)
	require.NoError(tb, w.Close())
	return out.String()
}

func zstandard(tb testing.TB, text string) string {
	tb.Helper()
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	require.NoError(tb, err)
	defer func() { _ = w.Close() }()
	return string(w.EncodeAll([]byte(text), nil))
}

func decompress(data string) (string, error) {
	text, err := io.ReadAll(source.Decompress(strings.NewReader(data)))
	return string(text), err
}

func TestOpenJSONLReadsCompressedFiles(t *testing.T) {
	for name, compressed := range compressors {
		t.Run(name, func(t *testing.T) {
			sourcetest.Run(t, func(t *testing.T, requests []batch.Request) batch.Source {
				t.Helper()
				src, err := source.OpenJSONL(writeFile(t, compressed(t, string(linesOf(t, requests)))))
				require.NoError(t, err)
				return src
			})
		})
	}
}

func TestCompressedDataIsKnownByItsContent(t *testing.T) {
	skipped := "\x5a\x2a\x4d\x18\x03\x00\x00\x00abc"
	large := strings.Repeat("line of text\n", 1<<16)
	for name, c := range map[string]struct{ data, want string }{
		"nothing":                             {"", ""},
		"text":                                {"{}\n", "{}\n"},
		"a byte":                              {"\x1f", "\x1f"},
		"part of a magic":                     {"(\xb5/", "(\xb5/"},
		"an array":                            {"[1]", "[1]"},
		"gzip":                                {gzipped(t, large), large},
		"gzip of nothing":                     {gzipped(t, ""), ""},
		"gzip members":                        {gzipped(t, "a\n") + gzipped(t, "") + gzipped(t, "b\n"), "a\nb\n"},
		"zstd":                                {zstandard(t, large), large},
		"zstd frames":                         {zstandard(t, "a\n") + zstandard(t, large) + zstandard(t, "b\n"), "a\n" + large + "b\n"},
		"zstd behind a frame that is skipped": {skipped + zstandard(t, "a\n") + skipped, "a\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := decompress(c.data)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
			slow, err := io.ReadAll(source.Decompress(iotest.OneByteReader(strings.NewReader(c.data))))
			require.NoError(t, err)
			require.Equal(t, c.want, string(slow))
		})
	}
}

func TestCompressedDataThatEndsEarlySaysSoBehindItsText(t *testing.T) {
	for name, compressed := range compressors {
		t.Run(name, func(t *testing.T) {
			const whole = "first\nsecond\n"
			data := compressed(t, "first\n") + compressed(t, "second\n")
			for cut := 4; cut < len(data); cut++ {
				if cut == len(compressed(t, "first\n")) {
					continue
				}
				got, err := decompress(data[:cut])
				require.ErrorIs(t, err, io.ErrUnexpectedEOF, "cut at %d", cut)
				require.EqualError(t, err, "the compressed data ends early: unexpected EOF")
				require.True(t, strings.HasPrefix(whole, got), "%q", got)
				require.True(t, cut < len(compressed(t, "first\n")) || strings.HasPrefix(got, "first\n"), "%q", got)
			}
		})
	}
}

func TestCompressedDataThatIsBrokenSaysSo(t *testing.T) {
	for name, compressed := range compressors {
		t.Run(name, func(t *testing.T) {
			data := []byte(compressed(t, strings.Repeat("text\n", 100)))
			data[len(data)-1] ^= 0xff
			_, err := decompress(string(data))
			require.ErrorContains(t, err, "the compressed data is broken: ")
			_, err = decompress(compressed(t, "a") + "garbage, more than a header's length")
			require.ErrorContains(t, err, "the compressed data is broken: ")
		})
	}
}

func TestAnErrorBelowCompressedDataStaysWhatItIs(t *testing.T) {
	reset := errors.New("connection reset")
	for _, compressed := range compressors {
		data := compressed(t, "text")
		for cut := range len(data) {
			r := source.Decompress(io.MultiReader(strings.NewReader(data[:cut]), iotest.ErrReader(reset)))
			_, err := io.ReadAll(r)
			require.Equal(t, reset, err, "after %d bytes", cut)
			_, err = r.Read(make([]byte, 1))
			require.Equal(t, reset, err, "again and again")
		}
	}
}

func TestErrorsOfACompressedFileNameItOnceAndTheLine(t *testing.T) {
	data := gzipped(t, "{}\n{}\n")
	path := writeFile(t, data[:len(data)-3])
	src, err := source.OpenJSONL(path)
	require.NoError(t, err)
	defer func() { _ = src.Close() }()
	next(t, src)
	next(t, src)
	_, err = src.Next(t.Context())
	require.EqualError(t, err, "reading "+path+": line 3: the compressed data ends early: unexpected EOF")
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)

	file, err := source.Open(path)
	require.NoError(t, err)
	_, err = io.ReadAll(file)
	require.EqualError(t, err, "read "+path+": the compressed data ends early: unexpected EOF")
	require.NoError(t, file.Close())
	require.NoError(t, file.Close())
	_, err = file.Read(make([]byte, 1))
	require.ErrorIs(t, err, fs.ErrClosed)

	_, err = source.Open(filepath.Join(t.TempDir(), "no-such.gz"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "no-such.gz")
}

func TestDecompressReadsNothingBeforeItMust(t *testing.T) {
	read, write := io.Pipe()
	r := source.Decompress(read) // nobody writes yet
	go func() {
		_, _ = io.WriteString(write, "[]") // an array begins as a frame of zstd to skip may
	}()
	buf := make([]byte, 10)
	n, err := r.Read(buf)
	require.NoError(t, err)
	require.Equal(t, "[]", string(buf[:n]))
	require.NoError(t, r.Close())
	require.NoError(t, r.Close())
	_, err = r.Read(buf)
	require.Equal(t, fs.ErrClosed, err)
	go func() { _, _ = io.WriteString(write, "r is still open") }()
	n, err = read.Read(buf)
	require.NoError(t, err)
	require.NotZero(t, n)
	require.NoError(t, read.Close())
}

func TestWhatWasFlushedToAPipeIsReadWhileItIsOpen(t *testing.T) {
	read, write := io.Pipe()
	defer func() { _ = read.Close() }()
	r := source.Decompress(read)
	go func() {
		w := gzip.NewWriter(write)
		_, _ = io.WriteString(w, "{}\n")
		_ = w.Flush() // and then nothing for long
	}()
	buf := make([]byte, 10)
	n, err := r.Read(buf)
	require.NoError(t, err)
	require.Equal(t, "{}\n", string(buf[:n]))
}

func TestCloseFreesAReadOfACompressedPipe(t *testing.T) {
	read, write, err := os.Pipe()
	require.NoError(t, err)
	defer func() { _ = write.Close() }()
	file, err := source.Open(fmt.Sprintf("/dev/fd/%d", read.Fd()))
	if err != nil {
		t.Skip("no /dev/fd here")
	}
	require.NoError(t, read.Close())
	data := zstandard(t, strings.Repeat("text\n", 100))
	_, err = write.WriteString(data[:len(data)-5])
	require.NoError(t, err)
	ended := make(chan error)
	go func() {
		_, err := io.ReadAll(file)
		ended <- err
	}()
	require.NoError(t, file.Close())
	require.ErrorIs(t, <-ended, fs.ErrClosed)
}

func TestABombOfZerosTakesLittleMemory(t *testing.T) {
	for name, compressed := range compressors {
		t.Run(name, func(t *testing.T) {
			bomb := compressed(t, strings.Repeat("\x00", 64<<20))
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			n, err := io.Copy(io.Discard, source.Decompress(strings.NewReader(bomb)))
			require.NoError(t, err)
			require.EqualValues(t, 64<<20, n)
			runtime.ReadMemStats(&after)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(40<<20))
		})
	}
}

func TestAWindowThatNeedsTooMuchMemoryIsRefused(t *testing.T) {
	// A frame whose header asks for a window of 2 GiB.
	_, err := decompress("\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00")
	require.ErrorIs(t, err, zstd.ErrWindowSizeExceeded)
	require.ErrorContains(t, err, "needs more than 128 MiB of memory")
}
