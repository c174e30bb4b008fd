package parquet

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"

	"github.com/parquet-go/parquet-go"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// base is the Parquet file that an earlier run has made.
type base struct {
	path    string
	file    *os.File
	info    os.FileInfo
	rows    *parquet.File
	id      int   // the place of the column of ids
	records []int // the places of what is known of a result, see sink.ReadRecord
}

// openBase opens the Parquet file at path. It returns nil where there is none, or an empty file.
func openBase(path string, table *sink.Table) (*base, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && info.Mode().IsRegular() && info.Size() == 0:
		return nil, nil
	case err != nil:
		return nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	b := &base{path: path, file: file}
	if err := b.read(table); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("%s: %w; choose another output, or overwrite this one", path, err)
	}
	return b, nil
}

func (b *base) read(table *sink.Table) (err error) {
	defer recovered(&err)
	if b.info, err = b.file.Stat(); err != nil {
		return err
	}
	if b.rows, err = parquet.OpenFile(b.file, b.info.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true),
		parquet.ReadBufferSize(64<<10)); err != nil {
		return fmt.Errorf("it is no whole Parquet file: %w", err)
	}
	columns := table.Columns()
	if err := checkColumns(b.rows, columns); err != nil {
		return err
	}
	places := make(map[string]int, len(columns))
	for i, column := range columns {
		places[column.Name] = i
	}
	b.id = places[table.ID()]
	for _, column := range table.RecordColumns() {
		b.records = append(b.records, places[column.Name])
	}
	return nil
}

// rowBatch is how many rows are read or written at a time.
const rowBatch = 64

// each calls yield with the rows, a few at a time. They are valid until the next ones.
func (b *base) each(yield func([]parquet.Row) error) (err error) {
	defer recovered(&err)
	for i, group := range b.rows.RowGroups() {
		if err := eachOf(group, yield); err != nil {
			return fmt.Errorf("reading %s: row group %d: %w", b.path, i+1, err)
		}
	}
	return nil
}

func eachOf(group parquet.RowGroup, yield func([]parquet.Row) error) error {
	reader := group.Rows()
	defer func() { _ = reader.Close() }()
	rows, left := make([]parquet.Row, rowBatch), group.NumRows()
	for {
		n, err := reader.ReadRows(rows)
		if err != nil && err != io.EOF {
			return err
		}
		if n > 0 {
			if err := yield(rows[:n]); err != nil {
				return err
			}
		}
		left -= int64(n)
		switch {
		case err == nil:
		case left != 0:
			return fmt.Errorf("the file is damaged: it has %d rows less than it should", left)
		default:
			return nil
		}
	}
}

// results returns what is known of the rows. Those that skip are left out.
func (b *base) results(skip func(*batch.Result) bool) iter.Seq2[*batch.Result, error] {
	return func(yield func(*batch.Result, error) bool) {
		stopped := errors.New("stopped")
		err := b.each(func(rows []parquet.Row) error {
			for _, row := range rows {
				result, err := b.result(row)
				if err == nil && skip(result) {
					continue
				}
				if !yield(result, err) || err != nil {
					return stopped
				}
			}
			return nil
		})
		if err != nil && !errors.Is(err, stopped) {
			yield(nil, err)
		}
	}
}

func (b *base) result(row parquet.Row) (*batch.Result, error) {
	values := make([]any, len(b.records))
	for i, at := range b.records {
		v, err := valueAt(row, at)
		if err != nil {
			return nil, err
		}
		if v.IsNull() {
			continue
		}
		switch v.Kind() {
		case parquet.Boolean:
			values[i] = v.Boolean()
		case parquet.Int64:
			values[i] = v.Int64()
		case parquet.Double:
			values[i] = v.Double()
		default:
			values[i] = string(v.ByteArray())
		}
	}
	result, err := sink.ReadRecord(values)
	if err != nil {
		return nil, fmt.Errorf("%s: a row that is no result: %w", b.path, err)
	}
	return result, nil
}

// idOf returns the id of a row.
func (b *base) idOf(row parquet.Row) (string, error) {
	v, err := valueAt(row, b.id)
	if err != nil {
		return "", err
	}
	return string(v.ByteArray()), nil
}

// valueAt returns the value of a column that has one value a row.
func valueAt(row parquet.Row, column int) (parquet.Value, error) {
	for _, v := range row {
		if v.Column() == column {
			return v, nil
		}
	}
	return parquet.Value{}, errors.New("the file is damaged: values are missing")
}

// replaced tells whether another file has taken the place of the one that was opened, or of none.
func (b *base) replaced(path string) bool {
	info, err := os.Stat(path)
	switch {
	case err != nil: // it is gone, and still open
		return false
	case b == nil:
		return info.Size() > 0
	}
	return !os.SameFile(info, b.info) || info.Size() != b.info.Size() || !info.ModTime().Equal(b.info.ModTime())
}

func (b *base) close() {
	if b != nil {
		_ = b.file.Close() // it was only read
	}
}

// recovered makes an error of what the library panics with on some files that are damaged.
func recovered(err *error) {
	switch p := recover().(type) {
	case nil:
	case error:
		*err = fmt.Errorf("the file is damaged: %w", p)
	default:
		*err = fmt.Errorf("the file is damaged: %v", p)
	}
}
