package sink

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sort"
	"strings"
)

var errBroken = errors.New("the compressed data is broken")

// textReader reads the text of a compressed file. Where the file breaks off, as one does whose writer was killed, the text
// ends with what can be read.
type textReader struct {
	from   *countingReader
	in     *bufio.Reader
	codec  *codec
	member memberDecoder
	inside bool // a member
	ours   bool // it begins as those of this package do
	text   int64
	ends   []memberEnd // of whole members
	torn   bool        // something stands behind the last of them
	err    error       // what Read returns from now on
}

// memberEnd is where a member ends.
type memberEnd struct{ disk, text int64 }

// newTextReader returns a reader of what stands in a file from its beginning or another place where a member begins.
func newTextReader(c *codec, file io.Reader) *textReader {
	from := &countingReader{r: file}
	in := bufio.NewReaderSize(from, 64<<10)
	return &textReader{from: from, in: in, codec: c, member: c.decoder(in)}
}

func (t *textReader) Read(p []byte) (int, error) {
	for t.err == nil {
		if !t.inside && !t.next() {
			break
		}
		n, err := t.member.Read(p)
		t.text += int64(n)
		if err == io.EOF {
			t.inside = false
			t.ends = append(t.ends, memberEnd{t.from.n - int64(t.in.Buffered()), t.text})
		} else if err != nil {
			t.fail(err)
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, t.err
}

func (t *textReader) next() bool {
	begun, err := t.in.Peek(len(t.codec.header))
	if len(begun) == 0 {
		t.err = err // io.EOF behind a whole member
		return false
	}
	t.ours = strings.HasPrefix(t.codec.header, string(begun))
	if err = t.member.next(); err != nil {
		t.fail(err)
	}
	t.inside = err == nil
	return t.inside
}

// fail tells a file that broke off from one that is broken, or can't be read. A member that has no text yet may be
// somebody's data.
func (t *textReader) fail(err error) {
	_, reading := errors.AsType[*fs.PathError](err)
	switch {
	case reading:
		t.err = err
	case errors.Is(err, io.ErrUnexpectedEOF) && (t.ours || t.text > t.whole().text), t.onlyZeros():
		t.torn, t.err = true, io.EOF
	default:
		t.err = fmt.Errorf("%w: %w", errBroken, err)
	}
}

// onlyZeros tells whether nothing but zeros is left and the file ends with many, as a file system that lost power may have
// left them. A whole member ends with a few at most.
func (t *textReader) onlyZeros() bool {
	at := t.from.n - int64(t.in.Buffered())
	_, err := io.Copy(io.Discard, t.in)
	return err == nil && t.from.zeros >= max(t.from.n-at, 8)
}

// whole returns the end of the last whole member.
func (t *textReader) whole() memberEnd {
	if len(t.ends) == 0 {
		return memberEnd{}
	}
	return t.ends[len(t.ends)-1]
}

// endBefore returns the end of the last whole member whose text ends at or before an offset.
func (t *textReader) endBefore(text int64) memberEnd {
	i := sort.Search(len(t.ends), func(i int) bool { return t.ends[i].text > text })
	if i == 0 {
		return memberEnd{}
	}
	return t.ends[i-1]
}

type countingReader struct {
	r     io.Reader
	n     int64
	zeros int64 // at the end of what was read
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	rest := len(bytes.TrimRight(p[:n], "\x00"))
	if rest > 0 {
		c.zeros = 0
	}
	c.zeros += int64(n - rest)
	return n, err
}
