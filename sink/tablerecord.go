package sink

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// recordColumns are those of our own that continuing an output needs.
var recordColumns = [...]string{
	colID, colSuccess, colErrorType, colPromptTokens, colCompletionTokens, colTotalTokens, colCostUSD, colElapsedTime,
	colFingerprint,
}

// RecordColumns returns the columns that continuing an output needs: which requests it has, and how they went.
// [ReadRecord] takes their values in this order.
func (t *Table) RecordColumns() []batch.Column {
	columns := make([]batch.Column, len(recordColumns))
	for i, name := range recordColumns {
		columns[i] = t.columns[t.own[name]]
	}
	return columns
}

// ReadRecord returns what the values of [Table.RecordColumns] tell of a result: its ID, Success, ErrorType, TokensUsed,
// CostUSD, ElapsedTime and Fingerprint. Values may be of any type that [batch.Cell] takes. A record without an id or
// success, and a value that doesn't fit, are errors.
func ReadRecord(values []any) (*batch.Result, error) {
	if len(values) != len(recordColumns) {
		return nil, fmt.Errorf("want %d values, got %d", len(recordColumns), len(values))
	}
	c := cells{values: values}
	r := &batch.Result{
		ID: c.text(0), Success: c.truth(1), ErrorType: batch.ErrorKind(c.text(2)), Fingerprint: c.text(8),
		ElapsedTime: time.Duration(math.Round(c.float(7) * float64(time.Second))),
	}
	usage := batch.TokenUsage{Prompt: c.whole(3), Completion: c.whole(4), Total: c.whole(5)}
	if values[3] != nil || values[4] != nil || values[5] != nil {
		r.TokensUsed = &usage
	}
	if cost := c.float(6); values[6] != nil {
		r.CostUSD = &cost
	}
	if c.err == nil && (values[0] == nil || values[1] == nil) {
		c.err = errors.New("want an id and success")
	}
	return r, c.err
}

// cells reads values one by one and keeps the first error.
type cells struct {
	values []any
	err    error
}

func (c *cells) cell(i int, t batch.ColumnType) any {
	cell, err := batch.Cell(t, c.values[i])
	if err != nil && c.err == nil {
		c.err = fmt.Errorf("column %q: %w", recordColumns[i], err)
	}
	return cell
}

func (c *cells) text(i int) string {
	text, _ := c.cell(i, batch.TextColumn).(string)
	return text
}

func (c *cells) truth(i int) bool {
	truth, _ := c.cell(i, batch.BoolColumn).(bool)
	return truth
}

func (c *cells) whole(i int) int64 {
	n, _ := c.cell(i, batch.IntColumn).(int64)
	return n
}

func (c *cells) float(i int) float64 {
	var f float64
	switch v := c.cell(i, batch.FloatColumn).(type) {
	case float64:
		f = v
	case json.Number:
		f, _ = v.Float64() // too large a number is infinite
	}
	if (math.IsNaN(f) || math.IsInf(f, 0)) && c.err == nil {
		c.err = fmt.Errorf("column %q: want a number, got %v", recordColumns[i], c.values[i])
	}
	return f
}
