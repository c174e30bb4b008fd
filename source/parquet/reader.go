// Package parquet reads the rows of Parquet files.
package parquet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"sync"

	"github.com/parquet-go/parquet-go"

	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// Reader reads the rows of a Parquet file, one after the other: it is a [source.RowReader]. Memory is a page of each column,
// whatever the size of the file and of its row groups: most writers make pages of a megabyte, DuckDB makes one a row group, up
// to 100. Rows are counted from 1, in all row groups together.
//
// Columns come in the order of the file, and their values are
//
//   - text: STRING and ENUM, UUID as 8-4-4-4-12, DATE as 2006-01-02, TIME as 15:04:05.999999999, INTERVAL as of ISO 8601;
//   - int: integers of all widths, but for UINT_64;
//   - float: FLOAT, DOUBLE and FLOAT16; DECIMAL and UINT_64 with all of their digits, as [encoding/json.Number];
//   - bool: BOOLEAN;
//   - time: TIMESTAMP of any unit and INT96. One without a zone is taken for UTC;
//   - bytes: BYTE_ARRAY and FIXED_LEN_BYTE_ARRAY that don't say what they hold, be it text or not, and BSON;
//   - vector: a LIST of FLOAT. A null in it is NaN;
//   - json: JSON, other lists, maps (with their keys as texts), structs and what nests in these. Bytes are in base64 there.
//
// Nulls are nil. A text that is not UTF-8, and a JSON that is none, make a [source.RowError] of their row. Anything else that
// is damaged ends the run, with an error that names the row group, the row and the column; the rows before it have been read
// by then. Files that are encrypted, that keep values in other files, or have two columns of one name are refused, as are
// pages of more than 512 MiB or 16 Mi values.
//
// Next reads from the disk, whatever becomes of its ctx.
type Reader struct {
	name    string // for errors
	in      io.ReaderAt
	file    *parquet.File
	columns []*column
	names   []batch.Column
	rows    int
	close   func() error

	group  *group // the row group being read, nil before the first
	groups int    // how many have been begun
	row    int    // the number of the row last read
	err    error  // what Next returns from now on
}

// Open returns a reader of the file at path, and closes it at Close. Its errors name the path.
func Open(path string) (*Reader, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("reading %s: want a file: the end of a Parquet file is read first", path)
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	r, err := newReader(path, file, info.Size())
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	r.close = sync.OnceValue(file.Close)
	return r, nil
}

// New returns a reader of the Parquet file that r holds, which has size bytes. It never closes r.
func New(r io.ReaderAt, size int64) (*Reader, error) { return newReader("the Parquet file", r, size) }

func newReader(name string, in io.ReaderAt, size int64) (r *Reader, err error) {
	defer func() {
		if err = recovered(recover(), err); err != nil {
			r, err = nil, fmt.Errorf("reading %s: %w", name, withoutPath(err))
		}
	}()
	file, err := openFile(in, size)
	if err != nil {
		return nil, err
	}
	columns, err := columnsOf(file)
	if err != nil {
		return nil, err
	}
	r = &Reader{name: name, in: in, file: file, columns: columns, close: func() error { return nil }}
	for _, c := range columns {
		r.names = append(r.names, c.Column)
	}
	for _, g := range file.RowGroups() {
		if g.NumRows() > int64(math.MaxInt-r.rows) {
			return nil, errors.New("the footer is damaged: too many rows")
		}
		r.rows += int(g.NumRows())
	}
	return r, nil
}

// Columns returns the columns of the file.
func (r *Reader) Columns() []batch.Column { return r.names }

// Len returns the number of rows in the file.
func (r *Reader) Len() int { return r.rows }

// Close closes the file that Open opened. It may be called while Next blocks.
func (r *Reader) Close() error { return r.close() }

// Next returns the next row, or io.EOF.
func (r *Reader) Next(ctx context.Context) (source.TableRow, error) {
	if r.err == nil && ctx.Err() != nil {
		return source.TableRow{}, ctx.Err()
	}
	if r.err != nil {
		return source.TableRow{}, r.err
	}
	row, err := r.next()
	if err == nil {
		return source.TableRow{Row: row, Number: r.row, Unit: "row"}, nil
	}
	if bad, ok := errors.AsType[*source.RowError](err); ok {
		return source.TableRow{}, bad
	}
	r.err = err
	if err != io.EOF {
		r.err = fmt.Errorf("reading %s: %w", r.name, withoutPath(err))
	}
	return source.TableRow{}, r.err
}

func (r *Reader) next() (row *batch.Row, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("row group %d, row %d: %w", r.groups, r.row, recovered(p, nil))
		}
	}()
	for r.group == nil || r.group.left == 0 {
		if r.group != nil {
			r.group.close()
			r.group = nil
		}
		if r.groups == len(r.file.RowGroups()) {
			return nil, io.EOF
		}
		r.groups++
		if r.group, err = newGroup(r.file, r.columns, r.in, r.groups-1); err != nil {
			return nil, err
		}
	}
	r.group.left--
	r.row++
	return r.readRow()
}

// readRow reads a value of each column, also behind one that can't be read.
func (r *Reader) readRow() (*batch.Row, error) {
	row := &batch.Row{Columns: r.names, Values: make([]any, len(r.columns))}
	var bad error
	for i, c := range r.columns {
		leaves := make([][]cell, c.leaves)
		for j := range leaves {
			l := r.group.leaves[c.first+j]
			badValue, err := l.next()
			if err != nil {
				return nil, r.damaged(c, err)
			}
			if badValue != nil && bad == nil {
				bad = fmt.Errorf("column %q: %w", c.Name, badValue)
			}
			leaves[j] = l.cells
		}
		var err error
		if row.Values[i], err = c.value(leaves); err != nil {
			return nil, r.damaged(c, err)
		}
	}
	if bad == nil {
		return row, nil
	}
	raw, err := row.MarshalJSON()
	if err != nil {
		return nil, err
	}
	return nil, &source.RowError{Number: r.row, Unit: "row", Raw: raw, Err: bad}
}

func (r *Reader) damaged(c *column, err error) error {
	return fmt.Errorf("row group %d, row %d, column %q: %w", r.group.number, r.row, c.Name, err)
}

// recovered makes an error of what the library panics with on some files that are damaged.
func recovered(p any, err error) error {
	switch p := p.(type) {
	case nil:
		return err
	case error:
		return fmt.Errorf("the file is damaged: %w", p)
	default:
		return fmt.Errorf("the file is damaged: %v", p)
	}
}

// withoutPath takes the path out of an error of the file: it is told already.
func withoutPath(err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok && pathErr == err {
		return pathErr.Err
	}
	return err
}
