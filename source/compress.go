package source

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// maxWindow is the memory that compressed data may ask for. The zstd program refuses more, too, unless it is told to.
const maxWindow = 128 << 20

// magic is what compressed data begin with: of each byte the bits in mask.
type magic struct{ bytes, mask string }

var (
	gzipMagic = magic{"\x1f\x8b", "\xff\xff"}
	zstdMagic = magic{"\x28\xb5\x2f\xfd", "\xff\xff\xff\xff"}
	skipMagic = magic{"\x50\x2a\x4d\x18", "\xf0\xff\xff\xff"} // of a zstd frame to skip
)

// Decompress returns the plain text of r: decompressed where r begins as gzip or zstd data do, else as it is. Members of
// gzip and frames of zstd that stand one behind the other are one text.
//
// Nothing is read before the first Read. Read is for one goroutine, starts no other, and blocks while r does. Data that end
// early are an [io.ErrUnexpectedEOF]. Data that need more than 128 MiB of memory, as those made with zstd --long may, are
// refused.
//
// Close ends reading with [fs.ErrClosed], and doesn't close r. It may be called while Read blocks, which then still waits
// for r.
func Decompress(r io.Reader) io.ReadCloser { return newDecompressor(r) }

// Open opens a file, of plain text or compressed: see [Decompress]. Errors name the path.
//
// Close closes the file. It may be called twice, before the end, and while Read blocks.
func Open(path string) (io.ReadCloser, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return &openFile{path: path, text: newDecompressor(file), close: sync.OnceValue(file.Close)}, nil
}

type openFile struct {
	path  string
	text  *decompressor
	close func() error
}

func (f *openFile) Read(p []byte) (int, error) {
	n, err := f.text.Read(p)
	if err == nil || err == io.EOF {
		return n, err
	}
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return n, err
	}
	return n, &fs.PathError{Op: "read", Path: f.path, Err: err}
}

func (f *openFile) Close() error {
	_ = f.text.Close()
	return f.close()
}

type decompressor struct {
	from   *errReader
	in     *bufio.Reader
	out    io.Reader // nil before the first Read
	err    error     // what Read returns from now on
	closed atomic.Bool
}

func newDecompressor(r io.Reader) *decompressor {
	from := &errReader{r: r}
	return &decompressor{from: from, in: bufio.NewReaderSize(from, 64<<10)}
}

func (d *decompressor) Close() error {
	d.closed.Store(true)
	return nil
}

func (d *decompressor) Read(p []byte) (n int, err error) {
	switch {
	case d.closed.Load():
		return 0, fs.ErrClosed
	case d.err != nil:
		return 0, d.err
	case d.out == nil:
		d.out, err = d.begin()
	}
	if err == nil {
		n, err = d.out.Read(p)
	}
	d.err = d.explain(err)
	return n, d.err
}

// begin finds out what the data are.
func (d *decompressor) begin() (io.Reader, error) {
	switch {
	case d.startsWith(gzipMagic):
		return &gzipReader{in: d.in}, nil
	case d.startsWith(zstdMagic), d.startsWith(skipMagic):
		// With a concurrency of 1 it starts no goroutines, and there is nothing to free but memory.
		return zstd.NewReader(d.in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
	}
	return d.in, nil
}

// startsWith waits for no more bytes than it needs: a pipe may bring a line of two, and no more for long.
func (d *decompressor) startsWith(m magic) bool {
	for i := range len(m.bytes) {
		first, err := d.in.Peek(i + 1)
		if err != nil || first[i]&m.mask[i] != m.bytes[i] {
			return false
		}
	}
	return true
}

// explain says what is wrong with compressed data. What is wrong with reading them stays as it is.
func (d *decompressor) explain(err error) error {
	switch {
	case err == nil || err == io.EOF || d.from.err != nil:
		return err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the compressed data ends early: %w", err)
	case errors.Is(err, zstd.ErrWindowSizeExceeded):
		return fmt.Errorf("the compressed data needs more than %d MiB of memory: compress it without --long: %w", maxWindow>>20, err)
	}
	return fmt.Errorf("the compressed data is broken: %w", err)
}

// gzipReader reads the members of gzip one by one: a [gzip.Reader] takes one that breaks off in its header for the end.
type gzipReader struct {
	in     *bufio.Reader
	member gzip.Reader
	inside bool
}

func (g *gzipReader) Read(p []byte) (n int, err error) {
	for n == 0 && err == nil {
		if !g.inside {
			if err := g.next(); err != nil {
				return 0, err
			}
		}
		if n, err = g.member.Read(p); err == io.EOF {
			g.inside, err = false, nil
		}
	}
	return n, err
}

func (g *gzipReader) next() error {
	if _, err := g.in.Peek(1); err != nil {
		return err
	}
	err := g.member.Reset(g.in)
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	g.member.Multistream(false)
	g.inside = err == nil
	return err
}

// errReader remembers the error of a reader.
type errReader struct {
	r   io.Reader
	err error
}

func (e *errReader) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	if err != nil && err != io.EOF {
		e.err = err
	}
	return n, err
}
