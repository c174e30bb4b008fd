package parquet

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"

	"github.com/parquet-go/parquet-go"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// A row group has this many rows or bytes of values at most. Its pages are in memory, compressed, until it is whole.
const (
	maxGroupRows  = 64 << 10
	maxGroupBytes = 32 << 20
	maxBatchBytes = 1 << 20 // of rows that are handed over at a time: pages are made of whole ones
)

// writer writes rows to a Parquet file.
type writer struct {
	table  *sink.Table
	out    *parquet.GenericWriter[any]
	rows   []parquet.Row // not handed over yet
	bytes  int           // of rows
	values []any

	groupRows, groupBytes int // handed over since the last row group
}

func newWriter(out io.Writer, table *sink.Table) *writer {
	columns := table.Columns()
	options := []parquet.WriterOption{
		schemaOf(columns), parquet.Compression(&parquet.Zstd), parquet.DataPageVersion(1),
	}
	for _, column := range columns {
		if bulky(column.Type) {
			options = append(options, parquet.SkipPageBounds(column.Name), parquet.SkipPageStatistics(column.Name))
		}
	}
	return &writer{table: table, out: parquet.NewGenericWriter[any](out, options...), rows: make([]parquet.Row, 0, rowBatch)}
}

// result writes the row of a result.
func (w *writer) result(r *batch.Result) error {
	values, err := w.table.AppendValues(w.values[:0], r)
	if err != nil {
		return err
	}
	w.values = values
	row := w.next()
	for i, value := range values {
		row = appendValue(row, value, i)
	}
	return w.row(row)
}

// next returns a row to fill, whose memory was used before.
func (w *writer) next() parquet.Row {
	if n := len(w.rows); n < cap(w.rows) {
		return w.rows[:n+1][n][:0]
	}
	return nil
}

// row writes a row. It is the writer's from then on, and what its values refer to, until the next flush.
func (w *writer) row(row parquet.Row) error {
	w.rows = append(w.rows, row)
	w.bytes += sizeOf(row)
	if len(w.rows) < rowBatch && w.bytes < maxBatchBytes {
		return nil
	}
	return w.flush()
}

// copy writes rows that were read from a file with the same columns.
func (w *writer) copy(rows []parquet.Row) error {
	for _, row := range rows {
		if err := w.row(append(w.next(), row...)); err != nil {
			return err
		}
	}
	return w.flush() // the rows are valid for now only
}

func (w *writer) flush() error {
	if _, err := w.out.WriteRows(w.rows); err != nil {
		return err
	}
	w.groupRows, w.groupBytes = w.groupRows+len(w.rows), w.groupBytes+w.bytes
	w.rows, w.bytes = w.rows[:0], 0
	if w.groupRows < maxGroupRows && w.groupBytes < maxGroupBytes {
		return nil
	}
	w.groupRows, w.groupBytes = 0, 0
	return w.out.Flush()
}

func (w *writer) close() error {
	if err := w.flush(); err != nil {
		return err
	}
	return w.out.Close()
}

func sizeOf(row parquet.Row) (n int) {
	for _, v := range row {
		switch v.Kind() {
		case parquet.ByteArray:
			n += len(v.ByteArray())
		default:
			n += 8
		}
	}
	return n
}

// eachResult calls yield with the results of a file that [sink.OpenJSONL] writes, until ctx ends. The last of them may have
// been written in part, and was not reported as written then.
func eachResult(ctx context.Context, journal *bufio.Reader, yield func(*batch.Result) error) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		line, readErr := journal.ReadBytes('\n')
		if readErr != nil && readErr != io.EOF {
			return readErr
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			r := &batch.Result{}
			switch err := r.UnmarshalJSON(line); {
			case err != nil && readErr == io.EOF && !json.Valid(line):
				return nil
			case err != nil:
				return err
			}
			if err := yield(r); err != nil {
				return err
			}
		}
		if readErr == io.EOF {
			return nil
		}
	}
}
