package source

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// readBuffer is large enough for nearly every line to be used where it was read.
const readBuffer = 256 << 10

var (
	errLongLine = errors.New("line too long")
	bom         = []byte("\uFEFF")
)

// lineReader reads lines of bounded length. Its memory is the read buffer and the longest line.
type lineReader struct {
	in     *bufio.Reader
	number int    // of the line last read, from 1
	long   []byte // a line that doesn't fit the read buffer
}

func newLineReader(r io.Reader, buffer int) *lineReader {
	return &lineReader{in: bufio.NewReaderSize(r, buffer)}
}

// next returns the next line without its end, valid until the following call. Of a line longer than limit bytes it returns
// the beginning and errLongLine, and skips the rest. After the last line it returns io.EOF.
func (l *lineReader) next(limit int) ([]byte, error) {
	l.number++
	line, err := l.in.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		l.long = l.long[:0]
		for err == bufio.ErrBufferFull {
			l.keep(line, limit)
			line, err = l.in.ReadSlice('\n')
		}
		l.keep(line, limit)
		line = l.long
	}
	if err != nil && (err != io.EOF || len(line) == 0) {
		return nil, err // a line that broke off is no record
	}
	if l.number == 1 {
		line = bytes.TrimPrefix(line, bom)
	}
	if n := len(line); n > 0 && line[n-1] == '\n' {
		line = bytes.TrimSuffix(line[:n-1], []byte{'\r'})
	}
	if len(line) > limit {
		return line[:limit], errLongLine
	}
	return line, nil
}

// keep adds to the long line what may still matter: the limit, and room for the line's end beyond it.
func (l *lineReader) keep(part []byte, limit int) {
	room := limit - len(l.long) + len(bom) + len("\r\n")
	l.long = append(l.long, part[:max(0, min(len(part), room))]...)
}
