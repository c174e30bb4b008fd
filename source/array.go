package source

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// ArrayOptions says how a JSON array is read. The zero value is fine.
type ArrayOptions struct {
	// MaxElementBytes is the length of the longest element that is read. The default, 0, is 16 MiB; -1 means no limit.
	MaxElementBytes int
}

// Array returns a reader that takes each element of a JSON array, an object of any fields, for a row, and never closes r.
// The rows are as those of [Objects]: their columns aren't known beforehand.
//
// An element that is no object, not UTF-8 or too long is a [*RowError], and those behind it are read. A text that isn't
// JSON ends the run there: what comes next can't be told. The error names the row, the line and the column.
//
// Memory doesn't grow with the array, but for an element. Next returns an object as soon as its last bracket was read. It
// blocks while r does, whatever becomes of its ctx.
func Array(r io.Reader, options ArrayOptions) RowReader {
	return &array{newElements(r, options, given())}
}

// OpenArray returns a reader of the file at path, of plain text or compressed: see [Array] and [Open]. Close closes the file,
// while Next blocks, too. Its errors name the path.
func OpenArray(path string, options ArrayOptions) (RowReader, error) {
	elements, err := openElements(path, options)
	if err != nil {
		return nil, err
	}
	return &array{elements}, nil
}

type array struct{ *elements }

func (a *array) Columns() []batch.Column { return nil }

func (a *array) Next(ctx context.Context) (TableRow, error) {
	var row *batch.Row
	err := a.read(ctx, func(raw []byte) (err error) {
		row, err = readObject(raw)
		return err
	})
	if err != nil {
		return TableRow{}, err
	}
	return TableRow{Row: row, Number: a.scanner.number, Unit: unitRow}, nil
}

// elements reads the elements of a JSON array one by one.
type elements struct {
	opened
	scanner *arrayScanner
	err     error // what read returns from now on
}

func newElements(r io.Reader, options ArrayOptions, from opened) *elements {
	return &elements{opened: from, scanner: &arrayScanner{
		in:    bufio.NewReaderSize(r, 64<<10),
		limit: lineLimit(options.MaxElementBytes),
	}}
}

func openElements(path string, options ArrayOptions) (*elements, error) {
	file, err := Open(path)
	if err != nil {
		return nil, err
	}
	return newElements(file, options, opened{path: path, close: file.Close}), nil
}

// read hands the next element to decode, which keeps nothing of it. An element that can't be used is a [*RowError].
func (e *elements) read(ctx context.Context, decode func(raw []byte) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if e.err != nil {
		return e.err
	}
	err := e.scanner.next()
	raw := e.scanner.raw
	switch {
	case err != nil:
	case e.scanner.long:
		return e.bad(fmt.Errorf("longer than the allowed %d bytes", e.scanner.limit))
	case !utf8.Valid(raw):
		return e.bad(fmt.Errorf("%w in %s", errNotUTF8, e.scanner.place(validPrefix(raw))))
	default:
		err = decode(raw)
		syntax, broken := errors.AsType[*json.SyntaxError](err)
		if !broken {
			if err != nil {
				err = e.bad(err)
			}
			return err
		}
		err = fmt.Errorf("%s: %w", e.scanner.place(int(syntax.Offset-syntaxOffset)), err)
	}
	e.err = e.readError(unitRow, e.scanner.number, err)
	return e.err
}

func (e *elements) bad(err error) *RowError {
	return &RowError{Number: e.scanner.number, Unit: unitRow, Raw: e.scanner.raw, Err: err}
}
