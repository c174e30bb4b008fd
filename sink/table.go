package sink

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// TableOptions say what the columns of a [Table] are.
type TableOptions struct {
	// Row are the columns of the rows that the requests were made from. They come out again. nil: none.
	Row []batch.Column
	// Answer are the fields of a structured answer; see [SchemaColumns]. nil: the answer is one text, in the column response.
	Answer []batch.Column
	// Embedding makes the answer a vector, in the column embedding instead of response.
	Embedding bool
}

// Table is the layout of results as columns: those of the row that a request was made from, those of the answer, and our
// own. [NewTable] makes one. It never changes, and is safe for concurrent use.
//
// Our own columns are, in this order: response (what the answer's columns don't hold) or embedding, id, success, error,
// error_type, tool_calls, tool_calls_made, prompt_tokens, completion_tokens, total_tokens, cost_usd, elapsed_time (seconds),
// attempts, model, finish_reason, metadata, index and fingerprint. What has no column (the history of tools, time spent
// waiting) is in a file of JSON Lines.
//
// No two columns have the same name, whatever their case, since databases fold it. A field of the answer that the row has
// too gets the prefix answer_, a column of ours that the row or the answer has gets gluepipe_.
type Table struct {
	columns []batch.Column
	row     int            // how many of the columns are the row's; they come first
	answer  []string       // the names of the answer's fields, whose columns follow
	own     map[string]int // the places of our own columns, by the names they have unless these are taken
	vector  bool
}

// NewTable returns the layout of results with these columns. It fails where a column has no name or comes twice, which
// columns do that differ only in case.
func NewTable(options TableOptions) (*Table, error) {
	if options.Embedding && options.Answer != nil {
		return nil, errors.New("a table has the columns of an answer or of an embedding, not both")
	}
	t := &Table{row: len(options.Row), own: make(map[string]int), vector: options.Embedding}
	taken := make(map[string]string) // names as they are, by their lower case
	for i, column := range options.Row {
		if column.Name == "" {
			return nil, fmt.Errorf("column %d has no name", i+1)
		}
		if other, ok := taken[strings.ToLower(column.Name)]; ok {
			return nil, twice(other, column.Name)
		}
		t.add(taken, column, "")
	}
	for i, column := range options.Answer {
		if column.Name == "" {
			return nil, fmt.Errorf("field %d of the answer has no name", i+1)
		}
		if slices.Contains(t.answer, column.Name) {
			return nil, fmt.Errorf("the answer has the field %q twice", column.Name)
		}
		t.answer = append(t.answer, column.Name)
		t.add(taken, column, "answer_")
	}
	for _, column := range ownColumns(options) {
		t.own[column.Name] = len(t.columns)
		t.add(taken, column, ownPrefix)
	}
	return t, nil
}

func twice(first, second string) error {
	if first == second {
		return fmt.Errorf("there are two columns %q: rename one", first)
	}
	return fmt.Errorf("the columns %q and %q differ only in case, which tables don't tell apart: rename one", first, second)
}

// add adds a column, under a name that is not taken yet.
func (t *Table) add(taken map[string]string, column batch.Column, prefix string) {
	for taken[strings.ToLower(column.Name)] != "" {
		column.Name = prefix + column.Name
	}
	taken[strings.ToLower(column.Name)] = column.Name
	t.columns = append(t.columns, column)
}

// ownColumns are those that every result has. The fingerprint comes last: its fixed length tells whether a row is whole.
func ownColumns(options TableOptions) []batch.Column {
	answer := batch.Column{Name: colResponse}
	if options.Embedding {
		answer = batch.Column{Name: colEmbedding, Type: batch.VectorColumn}
	}
	return []batch.Column{
		answer,
		{Name: colID},
		{Name: colSuccess, Type: batch.BoolColumn},
		{Name: colError},
		{Name: colErrorType},
		{Name: colToolCalls, Type: batch.JSONColumn},
		{Name: colToolCallsMade, Type: batch.IntColumn},
		{Name: colPromptTokens, Type: batch.IntColumn},
		{Name: colCompletionTokens, Type: batch.IntColumn},
		{Name: colTotalTokens, Type: batch.IntColumn},
		{Name: colCostUSD, Type: batch.FloatColumn},
		{Name: colElapsedTime, Type: batch.FloatColumn},
		{Name: colAttempts, Type: batch.IntColumn},
		{Name: colModel},
		{Name: colFinishReason},
		{Name: colMetadata, Type: batch.JSONColumn},
		{Name: colIndex, Type: batch.IntColumn},
		{Name: colFingerprint},
	}
}

// ownPrefix goes before the name of a column of ours that is taken.
const ownPrefix = "gluepipe_"

// The names of our own columns.
const (
	colID               = "id"
	colResponse         = "response"
	colEmbedding        = "embedding"
	colSuccess          = "success"
	colError            = "error"
	colErrorType        = "error_type"
	colToolCalls        = "tool_calls"
	colToolCallsMade    = "tool_calls_made"
	colPromptTokens     = "prompt_tokens"
	colCompletionTokens = "completion_tokens"
	colTotalTokens      = "total_tokens"
	colCostUSD          = "cost_usd"
	colElapsedTime      = "elapsed_time"
	colAttempts         = "attempts"
	colModel            = "model"
	colFinishReason     = "finish_reason"
	colMetadata         = "metadata"
	colIndex            = "index"
	colFingerprint      = "fingerprint"
)

// Columns returns all columns, in order: the row's, the answer's, our own. The slice is the caller's.
func (t *Table) Columns() []batch.Column { return slices.Clone(t.columns) }

// ID returns the name of the column of the request's id. It is never nil there, and tells the rows apart.
func (t *Table) ID() string { return t.name(colID) }

// Success returns the name of the column that tells whether the request succeeded. It is never nil there.
func (t *Table) Success() string { return t.name(colSuccess) }

// Fingerprint returns the name of the last column, which tells whether an earlier run did the same request.
func (t *Table) Fingerprint() string { return t.name(colFingerprint) }

func (t *Table) name(own string) string { return t.columns[t.own[own]].Name }
