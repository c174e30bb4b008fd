package sink

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

var errNotARecord = errors.New("not a result record")

// lineReader reads a file with a record of JSON in each line. Its memory is the read buffer and the longest line; see
// readAll for what reads faster and takes some of these.
type lineReader struct {
	path   string
	in     *bufio.Reader
	decode func(line []byte, r *record) error
	begins func(line string) bool // the beginning of a record as this package writes them

	long   []byte // a line that doesn't fit the read buffer
	number int    // of the line last read, from 1
	last   found
	ending ending
	err    error
}

func newLineReader(
	path string, r io.Reader, decode func(line []byte, r *record) error, begins func(line string) bool,
) *lineReader {
	return &lineReader{path: path, in: bufio.NewReaderSize(r, 256<<10), decode: decode, begins: begins}
}

func (r *lineReader) found() *found { return &r.last }

func (r *lineReader) end() (ending, error) { return r.ending, r.err }

// next skips blank lines and measures a torn last line.
func (r *lineReader) next() bool {
	for r.err == nil && r.ending.torn == 0 {
		line, err := r.readLine()
		if err != nil && err != io.EOF {
			r.err = fmt.Errorf("reading %s: %w", r.path, err)
			return false
		}
		if len(line) == 0 {
			return false
		}
		r.number++
		bare := line[len(line)-1] != '\n'
		text := bytes.TrimSpace(line)
		r.last = found{text: text, start: r.ending.offset}
		if len(text) > 0 {
			if err := r.decode(text, &r.last.record); err != nil {
				if bare && r.isTorn(line) {
					r.ending.torn = int64(len(line))
					return false
				}
				r.err = fmt.Errorf("%s: line %d: %w", r.path, r.number, err)
				return false
			}
		}
		r.ending.offset += int64(len(line))
		r.ending.bare = bare
		if len(text) > 0 {
			return true
		}
	}
	return false
}

func (r *lineReader) readLine() ([]byte, error) {
	line, err := r.in.ReadSlice('\n')
	if err != bufio.ErrBufferFull {
		return line, err
	}
	r.long = r.long[:0]
	for err == bufio.ErrBufferFull {
		r.long = append(r.long, line...)
		line, err = r.in.ReadSlice('\n')
	}
	r.long = append(r.long, line...)
	return r.long, err
}

// isTorn tells whether a last line, which is no record, is the beginning of one as this package writes them. Anything else
// is somebody's data. A file system that lost power may have left zeros instead of what was written last.
func (r *lineReader) isTorn(line []byte) bool {
	return !json.Valid(line) && r.begins(strings.TrimRight(string(line), "\x00"))
}

// cutTorn cuts the prefix from s. Where s ends within the prefix, nothing is left.
func cutTorn(s, prefix string) (string, bool) {
	if len(s) < len(prefix) {
		return "", strings.HasPrefix(prefix, s)
	}
	return strings.CutPrefix(s, prefix)
}

// skipText skips the rest of a JSON string, up to its closing quote.
func skipText(s string) string {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return s[i:]
		}
	}
	return ""
}
