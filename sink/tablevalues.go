package sink

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// AppendValues appends the result's values, one a column and typed as [batch.Cell] makes them. Where a result has nothing
// for a column, its value is nil: all of the row's where the record couldn't be read, all of the answer's where the request
// failed.
//
// A value of the row that doesn't fit its column, and metadata that can't be encoded, are errors which name the column; dst
// then comes back as it was. A field of the answer never is: it is paid for. A field that doesn't fit its column is nil
// there, or its JSON in a column of text, and so that nothing is lost, the whole answer then stands in the column response.
// It also does where the answer has fields without a column, and where the request failed: an answer that breaks its schema
// is kept there.
func (t *Table) AppendValues(dst []any, r *batch.Result) ([]any, error) {
	out, err := t.appendRow(dst, r.Row)
	if err != nil {
		return dst, err
	}
	out, whole := t.appendAnswer(out, r)
	if out, err = t.appendOwn(out, r, whole); err != nil {
		return dst, err
	}
	return out, nil
}

// appendRow takes the row's values by their names: a result that was read from JSON has its columns as they stood there.
func (t *Table) appendRow(dst []any, row *batch.Row) ([]any, error) {
	for i, column := range t.columns[:t.row] {
		var value any
		if row != nil && i < len(row.Values) && i < len(row.Columns) && row.Columns[i].Name == column.Name {
			value = row.Values[i]
		} else {
			value = row.Value(column.Name)
		}
		cell, err := batch.Cell(column.Type, value)
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", column.Name, err)
		}
		dst = append(dst, cell)
	}
	return dst, nil
}

// appendAnswer takes the fields of a structured answer. whole tells whether the columns hold all of it.
func (t *Table) appendAnswer(dst []any, r *batch.Result) (out []any, whole bool) {
	var fields map[string]json.RawMessage
	if r.Success && t.answer != nil && r.StructuredOutput != nil {
		whole = json.Unmarshal(r.StructuredOutput, &fields) == nil && fields != nil
	}
	held := 0
	for i, name := range t.answer {
		raw, ok := fields[name]
		if ok {
			held++
		}
		cell, fits := answerCell(t.columns[t.row+i].Type, raw)
		dst, whole = append(dst, cell), whole && fits
	}
	return dst, whole && held == len(fields)
}

// answerCell returns a field of an answer as a value of its column, and whether it is one.
func answerCell(t batch.ColumnType, raw json.RawMessage) (cell any, fits bool) {
	if raw == nil {
		return nil, true
	}
	cell, err := batch.Cell(t, raw)
	if t == batch.TextColumn && cell != nil {
		return cell, raw[0] == '"'
	}
	return cell, err == nil
}

// appendOwn appends our own columns, in the order of ownColumns. answered says that the answer's columns have it all.
func (t *Table) appendOwn(dst []any, r *batch.Result, answered bool) ([]any, error) {
	toolCalls, err := jsonCell(colToolCalls, r.ToolCalls, r.ToolCalls != nil)
	if err != nil {
		return nil, err
	}
	metadata, err := jsonCell(colMetadata, r.Metadata, r.Metadata != nil)
	if err != nil {
		return nil, err
	}
	var prompt, completion, total, cost any
	if u := r.TokensUsed; u != nil {
		prompt, completion, total = u.Prompt, u.Completion, u.Total
	}
	if c := r.CostUSD; c != nil && !math.IsNaN(*c) && !math.IsInf(*c, 0) {
		cost = *c
	}
	return append(dst,
		t.responseCell(r, answered),
		r.ID,
		r.Success,
		textCell(r.Error),
		textCell(string(r.ErrorType)),
		toolCalls,
		int64(r.ToolCallsMade),
		prompt, completion, total,
		cost,
		float64(r.ElapsedTime)/float64(time.Second), // Duration.Seconds rounds twice
		int64(r.Attempts),
		textCell(r.Model),
		textCell(r.FinishReason),
		metadata,
		r.Index,
		textCell(r.Fingerprint),
	), nil
}

// responseCell is the embedding, or the text that no other column has.
func (t *Table) responseCell(r *batch.Result, answered bool) any {
	switch {
	case t.vector && r.Embedding == nil:
		return nil
	case t.vector:
		return r.Embedding
	case answered, !r.Success && r.Response == "":
		return nil
	case r.Response == "" && r.StructuredOutput != nil: // a stage of the caller's made it
		return string(r.StructuredOutput)
	}
	return r.Response
}

// textCell is nil for what a result doesn't tell.
func textCell(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func jsonCell(name string, value any, present bool) (any, error) {
	if !present {
		return nil, nil
	}
	cell, err := batch.Cell(batch.JSONColumn, value)
	if err != nil {
		return nil, fmt.Errorf("column %q: %w", name, err)
	}
	return cell, nil
}
