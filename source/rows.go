package source

import (
	"context"
	"strconv"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// RowReader reads the rows of a table, whatever it is kept in. [Rows] makes a source of requests from one.
//
// Next is called from one goroutine. It returns [io.EOF] after the last row, again and again, and ctx's error once ctx has
// ended. Close may be called more than once, before the end and while Next blocks.
type RowReader interface {
	// Columns returns the table's columns, or nil where they aren't known before the rows are: objects may have any fields.
	// It is called before the first Next.
	Columns() []batch.Column
	// Next returns the next row. A row that can't be read is a [*RowError], and the rows behind it can still be; any other
	// error ends the run.
	Next(ctx context.Context) (TableRow, error)
	// Close frees what the reader holds.
	Close() error
}

// TableRow is a row and its place in the table.
type TableRow struct {
	*batch.Row
	// Number is its place for people and for a request without an id: of a line in a text, else of the row, from 1.
	Number int
	// Unit is what Number counts: "line" or "row".
	Unit string
}

// RowError is a row that can't be read.
type RowError struct {
	Number int    // see [TableRow]
	Unit   string // "line" or "row"
	Column int    // where the line is wrong, in characters from 1; 0 where the row as a whole is
	Raw    []byte // the row as it stands, or what there is of it; the reader's own until the next Next
	Err    error
}

// Error says where and what: line 12, column 3: ...
func (e *RowError) Error() string { return e.place() + ": " + e.Err.Error() }

// Unwrap returns what is wrong.
func (e *RowError) Unwrap() error { return e.Err }

func (e *RowError) place() string {
	place := e.Unit + " " + strconv.Itoa(e.Number)
	if e.Column > 0 {
		place += ", column " + strconv.Itoa(e.Column)
	}
	return place
}
