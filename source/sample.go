package source

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// What Sample keeps in memory.
const (
	defaultSampleRows = 1000
	maxSampleBytes    = 8 << 20
)

// Sample makes the columns of a table known that its reader doesn't know beforehand, such as one of [Objects]: it reads up to
// n rows ahead (0 means 1,000), and at most about 8 MiB of them. The columns are those of these rows, in the order in which
// they appear. Whole numbers and others in one column make it one of numbers; other types that differ, one of JSON. NULL is
// of any type.
//
// The reader it returns yields these rows and then the rest, all with these columns: a field that a row doesn't have is
// NULL. A later row that has another field, or a value of another type, is a [*RowError]: line 70000: column "stars": want a
// whole number, as in the rows before, got "many".
//
// Sample blocks while rows does, until ctx ends. The reader that it returns closes rows. Where it returns an error, rows
// stays the caller's to close. An error that ends the table behind the first row is returned by Next instead, behind the
// rows before it. A reader whose columns are known is returned as it is; without a single row, they aren't known afterwards
// either.
func Sample(ctx context.Context, rows RowReader, n int) (RowReader, error) {
	if rows.Columns() != nil {
		return rows, nil
	}
	if n <= 0 {
		n = defaultSampleRows
	}
	s := &sampled{rows: rows, columns: newSampleColumns()}
	for size := 0; n > 0 && size < maxSampleBytes; {
		row, err := rows.Next(ctx)
		bad, isBad := errors.AsType[*RowError](err)
		switch {
		case isBad:
			kept := *bad
			kept.Raw = slices.Clone(bad.Raw)
			err = &kept
			size += len(kept.Raw)
		case err == nil:
			s.columns.add(row.Row)
			size += rowBytes(row.Row)
			n--
		case ctx.Err() != nil, err != io.EOF && len(s.ahead) == 0:
			return nil, err
		}
		s.ahead = append(s.ahead, aheadRow{row, err})
		if err != nil && !isBad {
			break
		}
	}
	s.columns.settle()
	return s, nil
}

// aheadRow is what a reader's Next returned.
type aheadRow struct {
	row TableRow
	err error
}

// sampled yields the rows that were read ahead, and then those of rows.
type sampled struct {
	rows    RowReader
	columns *sampleColumns
	ahead   []aheadRow
}

func (s *sampled) Columns() []batch.Column { return s.columns.columns }

func (s *sampled) Close() error { return s.rows.Close() }

func (s *sampled) Next(ctx context.Context) (TableRow, error) {
	if err := ctx.Err(); err != nil {
		return TableRow{}, err
	}
	row, err := s.take(ctx)
	if err != nil {
		return TableRow{}, err
	}
	fitted, err := s.columns.fit(row.Row)
	if err != nil {
		raw, _ := row.MarshalJSON()
		return TableRow{}, &RowError{Number: row.Number, Unit: row.Unit, Raw: raw, Err: err}
	}
	row.Row = fitted
	return row, nil
}

func (s *sampled) take(ctx context.Context) (TableRow, error) {
	if len(s.ahead) == 0 {
		return s.rows.Next(ctx)
	}
	first := s.ahead[0]
	s.ahead[0] = aheadRow{}
	s.ahead = s.ahead[1:]
	return first.row, first.err
}

// rowBytes returns about how much memory a row takes.
func rowBytes(row *batch.Row) int {
	const perValue = 64 // the column, the value, and what they point to
	size := perValue
	for i, value := range row.Values {
		size += perValue + len(row.Columns[i].Name)
		switch v := value.(type) {
		case string:
			size += len(v)
		case json.Number:
			size += len(v)
		case json.RawMessage:
			size += len(v)
		case []byte:
			size += len(v)
		}
	}
	return size
}
