package sink

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// csvReader finds the records in a file of comma-separated values.
type csvReader struct {
	path   string
	format *csvFormat
	rows   *rowLines
	fields fieldSplitter

	width  int   // how many fields a row has; 0 until the header was read
	places []int // of recordColumns in a row, -1 where it has no such column
	last   found
	ending ending
	done   bool
	err    error
}

func newCSVReader(path string, r io.Reader, format *csvFormat) *csvReader {
	return &csvReader{
		path: path, format: format, rows: newRowLines(r), fields: fieldSplitter{comma: []byte(format.comma)},
	}
}

func (r *csvReader) found() *found { return &r.last }

func (r *csvReader) end() (ending, error) { return r.ending, r.err }

// next skips blank lines and measures a torn last row.
func (r *csvReader) next() bool {
	for !r.done {
		row, err := r.rows.next()
		var found bool
		switch {
		case err == io.EOF:
			r.done = true
		case errors.Is(err, errLongRow):
			err = r.foreign(err)
		case err != nil:
			err = fmt.Errorf("reading %s: %w", r.path, err)
		case r.width == 0:
			err = r.readHeader(row)
		case !r.rows.whole:
			found, err = r.readLast(row)
		default:
			found, err = r.readRow(row)
		}
		if err != nil && err != io.EOF {
			r.err, r.done = err, true
		}
		if found {
			return true
		}
	}
	return false
}

// readRow reads a row that has the end of its line.
func (r *csvReader) readRow(row []byte) (bool, error) {
	text := trimLineEnd(row)
	if len(text) > 0 {
		if err := r.decode(text); err != nil {
			return false, r.foreign(err)
		}
	}
	r.ending.offset += int64(len(row))
	return len(text) > 0, nil
}

// readLast reads a row at the end of the file. It is whole but for its newline, or it broke off. A file system that lost
// power may have left zeros instead of what was written last.
func (r *csvReader) readLast(row []byte) (bool, error) {
	r.done = true
	text := bytes.TrimRight(row, "\x00")
	fields, err := r.fields.split(text)
	switch {
	case err == nil && len(fields) == r.width && isFingerprint(fields[r.width-1]):
		if err := r.decode(text); err != nil {
			return false, r.foreign(err)
		}
		r.ending = ending{offset: r.ending.offset + int64(len(text)), torn: int64(len(row) - len(text)), bare: true}
		return true, nil
	case err == nil && len(fields) > r.width:
		return false, r.foreign(r.wrongWidth(len(fields)))
	case err != nil && (!errors.Is(err, errOpenQuote) || r.hidesRow(text)):
		return false, r.foreign(err)
	}
	r.ending.torn = int64(len(row))
	return false, nil
}

// hidesRow tells whether a row is found in a text whose last quote is not closed. Then it isn't the last row that broke off:
// somebody has written a quote too many, and what is behind it would be lost.
func (r *csvReader) hidesRow(text []byte) bool {
	for {
		_, rest, ok := bytes.Cut(text, []byte{'\n'})
		if !ok {
			return false
		}
		if r.decode(firstRow(rest)) == nil {
			return true
		}
		text = rest
	}
}

// decode reads the record of a row without the end of its line.
func (r *csvReader) decode(text []byte) error {
	fields, err := r.fields.split(text)
	if err != nil {
		return err
	}
	if len(fields) != r.width {
		return r.wrongWidth(len(fields))
	}
	values := make([]any, len(recordColumns))
	for i, place := range r.places {
		if place >= 0 && fields[place] != nil {
			values[i] = string(fields[place])
		}
	}
	result, err := ReadRecord(values)
	if err != nil {
		return err
	}
	r.last = found{record: recordOf(result), text: text, start: r.ending.offset}
	return nil
}

func recordOf(r *batch.Result) record {
	return record{
		id: r.ID, success: r.Success, errorType: r.ErrorType, tokensUsed: r.TokensUsed, elapsedTime: r.ElapsedTime,
		costUSD: r.CostUSD, fingerprint: r.Fingerprint,
	}
}

func (r *csvReader) wrongWidth(n int) error { return fmt.Errorf("%d fields instead of %d", n, r.width) }

// foreign says which row isn't ours, and why.
func (r *csvReader) foreign(err error) error {
	return fmt.Errorf("%s: line %d: %w: %w", r.path, r.rows.number, errNotARecord, err)
}

// isFingerprint tells whether a text is one as [batch.Fingerprint] makes them, not one that broke off.
func isFingerprint(text []byte) bool {
	version, hash, ok := strings.Cut(string(text), ":")
	return ok && strings.HasPrefix(version, "v") && len(hash) == 32
}
