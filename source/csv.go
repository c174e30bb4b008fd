package source

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// CSVOptions says how a CSV text is read. The zero value is fine.
type CSVOptions struct {
	// Comma stands between the fields. The default, 0, takes from comma, tab, semicolon and pipe what gives the header line the
	// most columns, and the first of them where several do.
	Comma rune
	// MaxRecordBytes is the length of the longest record that is read, its line end not counted. The default, 0, is 16 MiB; -1
	// means no limit.
	MaxRecordBytes int
}

// CSV returns a reader of the rows of a CSV text as RFC 4180 has it, and never closes r. The first line that isn't blank is
// the header: it names the columns, each by a name of its own. All columns are texts, and nothing is trimmed or guessed.
// Blank lines, a byte order mark and CRLF are fine; a CRLF within a quoted field is read as a line feed. CSV reads the
// header, and blocks while r does.
//
// A record that can't be read (a quote in a field without quotes, a quote that is never closed, text behind a closing quote,
// too few fields or too many, a record too long) is a [*RowError] of its first line, and reading goes on at the line behind:
// a stray quote costs its own line, and not those up to the next quote. A record whose bytes are not UTF-8 is a RowError as
// a whole.
//
// Memory doesn't grow with the text, but for a record. Next blocks while r does, whatever becomes of its ctx.
func CSV(r io.Reader, options CSVOptions) (RowReader, error) {
	return newCSV(r, options, given())
}

// OpenCSV returns a reader of the CSV file at path, of plain text or compressed: see [CSV] and [Open]. Close closes the file,
// while Next blocks, too. Its errors name the path.
func OpenCSV(path string, options CSVOptions) (RowReader, error) {
	file, err := Open(path)
	if err != nil {
		return nil, err
	}
	rows, err := newCSV(file, options, opened{path: path, close: file.Close})
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return rows, nil
}

type csvReader struct {
	opened
	text    *csvText
	parser  *csv.Reader // of text
	columns []batch.Column
	err     error // what Next returns from now on
}

func newCSV(r io.Reader, options CSVOptions, from opened) (*csvReader, error) {
	c := &csvReader{opened: from, text: &csvText{in: r, limit: lineLimit(options.MaxRecordBytes), number: 1}}
	if err := c.readHeader(options.Comma); err != nil {
		return nil, c.nameFile(fmt.Errorf("the header: %w", withoutPath(err)))
	}
	return c, nil
}

func (c *csvReader) Columns() []batch.Column { return c.columns }

func (c *csvReader) Next(ctx context.Context) (TableRow, error) {
	if err := ctx.Err(); err != nil {
		return TableRow{}, err
	}
	if c.err != nil {
		return TableRow{}, c.err
	}
	row, err := c.record()
	if err == nil {
		return row, nil
	}
	if _, ok := errors.AsType[*RowError](err); !ok {
		c.err = c.readError(unitLine, c.text.number, err)
		err = c.err
	}
	return TableRow{}, err
}

// record reads the next record. A bad one is a [*RowError]; any other error is that of the text.
func (c *csvReader) record() (TableRow, error) {
	if err := c.text.begin(); err != nil {
		return TableRow{}, err
	}
	if c.text.long {
		defer c.text.skipLine()
		return TableRow{}, c.text.tooLong()
	}
	fields, err := c.parser.Read()
	switch {
	case c.text.broken():
		return TableRow{}, c.text.failed
	case err != nil:
		err = c.text.explain(err)
	case len(fields) != len(c.columns):
		err = c.wrongCount(len(fields))
	}
	if err != nil {
		c.text.skipLine()
		return TableRow{}, err
	}
	defer c.text.skipRecord()
	if bad := c.text.checkUTF8(); bad != nil {
		return TableRow{}, bad
	}
	values := make([]any, len(fields))
	for i, field := range fields {
		values[i] = field
	}
	return TableRow{Row: &batch.Row{Columns: c.columns, Values: values}, Number: c.text.number, Unit: unitLine}, nil
}

// wrongCount points at the first field that is too many, where it is in the record's first line.
func (c *csvReader) wrongCount(fields int) *RowError {
	at := -1
	if fields > len(c.columns) {
		first, _ := c.parser.FieldPos(0)
		if line, column := c.parser.FieldPos(len(c.columns)); line == first {
			at = column - 1
		}
	}
	return c.text.rowError(at, fmt.Errorf("want %d fields, as in the header, got %d", len(c.columns), fields))
}
