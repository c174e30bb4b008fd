package source

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

var errNotUTF8 = errors.New("not valid UTF-8")

// rowError is one of the record's first line; at is an offset in it, or -1 where the line is wrong as a whole.
func (t *csvText) rowError(at int, err error) *RowError {
	rowErr := &RowError{Number: t.number, Unit: unitLine, Raw: t.firstLine(), Err: err}
	if at >= 0 {
		rowErr.Column = column(rowErr.Raw, int64(at))
	}
	return rowErr
}

func (t *csvText) tooLong() *RowError {
	return t.rowError(-1, fmt.Errorf("longer than the allowed %d bytes", t.limit))
}

// explain says in words what encoding/csv found wrong with the record. What is found in a later line is blamed on the quote
// that joined that line to the first.
func (t *csvText) explain(err error) error {
	parse, ok := errors.AsType[*csv.ParseError](err)
	if !ok {
		return err
	}
	what := errors.New("a quote in a field that doesn't begin with one")
	if errors.Is(parse.Err, csv.ErrQuote) {
		what = errors.New("text behind the quote that closes a field")
	}
	at, later := parse.Column-1, parse.Line-parse.StartLine
	quote := openQuote(t.firstLine())
	switch {
	case t.long:
		return t.rowError(quote, fmt.Errorf("the quote isn't closed within the allowed %d bytes", t.limit))
	case t.failed == io.EOF && parse.Column > len(t.lastLine()):
		return t.rowError(quote, errors.New("the quote is never closed"))
	case later > 0:
		return t.rowError(quote, fmt.Errorf("the quote opens a field that ends in line %d: %w", t.number+later, what))
	}
	return t.rowError(at, what)
}

// lastLine returns what encoding/csv was given last, without its end.
func (t *csvText) lastLine() []byte {
	record := trimLineEnd(t.record())
	return record[bytes.LastIndexByte(record, '\n')+1:]
}

// openQuote returns where the quoted field begins that is open at the end of a line.
func openQuote(line []byte) int {
	open, at, closed := false, 0, -2
	for i, c := range line {
		switch {
		case c != '"':
		case open:
			open, closed = false, i
		case closed == i-1: // two quotes are one in the field
			open = true
		default:
			open, at = true, i
		}
	}
	return at
}

// checkUTF8 says which byte of the record isn't UTF-8, if there is one.
func (t *csvText) checkUTF8() *RowError {
	record := t.record()
	if utf8.Valid(record) {
		return nil
	}
	for number := t.number; ; number++ {
		line, rest, _ := bytes.Cut(record, []byte{'\n'})
		switch {
		case utf8.Valid(line):
			record = rest
			continue
		case number == t.number:
			bad := t.rowError(-1, errNotUTF8)
			bad.Column = invalidUTF8(line)
			return bad
		}
		return t.rowError(-1, fmt.Errorf("%w in line %d, column %d", errNotUTF8, number, invalidUTF8(line)))
	}
}
