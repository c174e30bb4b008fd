package source

import (
	"fmt"
	"strings"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// sampleColumns are the columns that rows have together.
type sampleColumns struct {
	columns []batch.Column
	index   map[string]int
	typed   []bool // whether a column had a value that wasn't NULL
}

func newSampleColumns() *sampleColumns {
	return &sampleColumns{index: map[string]int{}}
}

// add widens the columns by those of a row.
func (s *sampleColumns) add(row *batch.Row) {
	for i, column := range row.Columns {
		at, ok := s.index[column.Name]
		if !ok {
			at = len(s.columns)
			s.index[column.Name] = at
			s.columns, s.typed = append(s.columns, column), append(s.typed, false)
		}
		switch {
		case row.Values[i] == nil:
		case !s.typed[at]:
			s.columns[at].Type, s.typed[at] = column.Type, true
		default:
			s.columns[at].Type = commonType(s.columns[at].Type, column.Type)
		}
	}
}

// settle gives columns without a value a type that takes any.
func (s *sampleColumns) settle() {
	for i := range s.columns {
		if !s.typed[i] {
			s.columns[i].Type = batch.JSONColumn
		}
	}
}

func commonType(a, b batch.ColumnType) batch.ColumnType {
	switch {
	case a == b:
		return a
	case numeric(a) && numeric(b):
		return batch.FloatColumn
	}
	return batch.JSONColumn
}

func numeric(t batch.ColumnType) bool { return t == batch.IntColumn || t == batch.FloatColumn }

// fit returns the row with these columns.
func (s *sampleColumns) fit(row *batch.Row) (*batch.Row, error) {
	fitted := &batch.Row{Columns: s.columns, Values: make([]any, len(s.columns))}
	for i, column := range row.Columns {
		value := row.Values[i]
		if value == nil {
			continue
		}
		at, ok := s.index[column.Name]
		if !ok {
			return nil, fmt.Errorf("column %q isn't in the rows before: %s", column.Name, listColumns(columnNames(s.columns)))
		}
		cell, err := fitCell(s.columns[at].Type, column.Type, value)
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", column.Name, err)
		}
		fitted.Values[at] = cell
	}
	return fitted, nil
}

// fitCell returns a value of type from as one of type to. It doesn't read numbers out of texts, as [batch.Cell] does.
func fitCell(to, from batch.ColumnType, value any) (any, error) {
	if to == from {
		return value, nil
	}
	if to == batch.JSONColumn || numeric(to) && numeric(from) {
		if cell, err := batch.Cell(to, value); err == nil {
			return cell, nil
		}
	}
	return nil, fmt.Errorf("want %s, as in the rows before, got %s", typeInWords(to), inShort(value))
}

func typeInWords(t batch.ColumnType) string {
	switch t {
	case batch.TextColumn:
		return "a text"
	case batch.IntColumn:
		return "a whole number"
	case batch.FloatColumn:
		return "a number"
	case batch.BoolColumn:
		return "true or false"
	}
	return "a value of type " + t.String()
}

// inShort shows a value as JSON, for an error.
func inShort(value any) string {
	const limit = 60
	cell, err := batch.Cell(batch.TextColumn, value)
	text, isText := cell.(string)
	if err != nil || !isText {
		return fmt.Sprintf("a %T", value)
	}
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "") + "..."
	}
	if _, ok := value.(string); ok {
		return fmt.Sprintf("%q", text)
	}
	return text
}
