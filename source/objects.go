package source

import (
	"context"
	"io"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// ObjectsOptions says how JSON Lines are read as a table. The zero value is fine.
type ObjectsOptions struct {
	// MaxLineBytes is the length of the longest line that is read, its end not counted. The default, 0, is 16 MiB; -1 means
	// no limit.
	MaxLineBytes int
}

// Objects returns a reader that takes each line of a text, a JSON object of any fields, for a row, and never closes r. The
// fields are the columns, in the order in which they stand; see [batch.Row.UnmarshalJSON] for their types. Of two fields
// with the same name, the last counts. The columns aren't known beforehand: see [Sample]. Blank lines, a byte order mark and
// CRLF are fine.
//
// A line that is no JSON object, not UTF-8 or too long is a [*RowError], and the lines behind it are read.
//
// Memory doesn't grow with the text, but for a line. Next blocks while r does, whatever becomes of its ctx.
func Objects(r io.Reader, options ObjectsOptions) RowReader {
	return &objects{jsonLines: newJSONLines(r), options: options}
}

// OpenObjects returns a reader of the file at path, of plain text or compressed: see [Objects] and [Open]. Close closes the
// file, while Next blocks, too. Its errors name the path.
func OpenObjects(path string, options ObjectsOptions) (RowReader, error) {
	lines, err := openJSONLines(path)
	if err != nil {
		return nil, err
	}
	return &objects{jsonLines: lines, options: options}, nil
}

type objects struct {
	*jsonLines
	options ObjectsOptions
}

func (o *objects) Columns() []batch.Column { return nil }

func (o *objects) Next(ctx context.Context) (TableRow, error) {
	line, err := o.next(ctx, o.options.MaxLineBytes)
	if err != nil {
		return TableRow{}, err
	}
	row, err := readObject(line)
	if err != nil {
		return TableRow{}, o.bad(line, err)
	}
	return TableRow{Row: row, Number: o.lines.number, Unit: unitLine}, nil
}

// readObject makes a row of a JSON object. It keeps nothing of raw.
func readObject(raw []byte) (*batch.Row, error) {
	row := &batch.Row{}
	if err := row.UnmarshalJSON(raw); err != nil {
		return nil, err
	}
	lastCounts(row)
	return row, nil
}

// lastCounts leaves of columns with the same name one, with the last value.
func lastCounts(row *batch.Row) {
	n, first := 0, make(map[string]int, len(row.Columns))
	for i, column := range row.Columns {
		at, twice := first[column.Name]
		if !twice {
			at = n
			first[column.Name] = at
			n++
		}
		row.Columns[at], row.Values[at] = column, row.Values[i]
	}
	row.Columns, row.Values = row.Columns[:n], row.Values[:n]
}
