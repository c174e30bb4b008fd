package sink

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

var errLongRow = errors.New("a row of more than 64 MiB, or a quote that isn't closed")

// rowLines reads the rows of a file of comma-separated values as they stand: a row ends where a line does outside of quotes.
// Its memory is the read buffer and the longest row.
type rowLines struct {
	in    *bufio.Reader
	lines int    // that were read
	long  []byte // a row that isn't in the read buffer as a whole

	// Of the row last read.
	number int  // of the line that it begins in, from 1
	whole  bool // it has the end of its line
}

func newRowLines(r io.Reader) *rowLines { return &rowLines{in: bufio.NewReaderSize(r, 256<<10)} }

// next returns the next row with the end of its line, valid until the following call. After the last one it returns
// [io.EOF].
func (l *rowLines) next() ([]byte, error) {
	l.number, l.long, l.whole = l.lines+1, l.long[:0], false
	for quoted := false; ; {
		part, err := l.in.ReadSlice('\n')
		if err == nil {
			l.lines++
		}
		if bytes.Count(part, []byte{'"'})%2 == 1 {
			quoted = !quoted
		}
		l.whole = err == nil && !quoted
		switch {
		case err == io.EOF && len(part)+len(l.long) == 0:
			return nil, err
		case l.whole && len(l.long) == 0: // as a rule
			return part, nil
		case err != nil && err != io.EOF && err != bufio.ErrBufferFull:
			return nil, err
		}
		l.long = append(l.long, part...)
		switch {
		case len(l.long) > maxCSVRow+len("\r\n"):
			return nil, errLongRow
		case l.whole || err == io.EOF:
			return l.long, nil
		}
	}
}

// trimLineEnd cuts the end of its line from a row.
func trimLineEnd(row []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(row, []byte{'\n'}), []byte{'\r'})
}

// firstRow returns the first row of a text without the end of its line, or all of the text.
func firstRow(text []byte) []byte {
	quoted := false
	for i, c := range text {
		switch {
		case c == '"':
			quoted = !quoted
		case c == '\n' && !quoted:
			return trimLineEnd(text[:i+1])
		}
	}
	return text
}
