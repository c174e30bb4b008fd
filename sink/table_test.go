package sink_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/stages/batch"
)

func newTable(tb testing.TB, options sink.TableOptions) *sink.Table {
	tb.Helper()
	table, err := sink.NewTable(options)
	require.NoError(tb, err)
	return table
}

func columnNames(columns []batch.Column) []string {
	var names []string
	for _, c := range columns {
		names = append(names, c.Name)
	}
	return names
}

// cellsOf returns a result's values by the names of their columns.
func cellsOf(tb testing.TB, table *sink.Table, r *batch.Result) map[string]any {
	tb.Helper()
	values, err := table.AppendValues(nil, r)
	require.NoError(tb, err)
	cells := make(map[string]any)
	for i, column := range table.Columns() {
		cells[column.Name] = values[i]
	}
	require.Len(tb, values, len(cells))
	return cells
}

var ourColumns = []string{
	"id", "success", "error", "error_type", "tool_calls", "tool_calls_made", "prompt_tokens", "completion_tokens",
	"total_tokens", "cost_usd", "elapsed_time", "attempts", "model", "finish_reason", "metadata", "index", "fingerprint",
}

func TestATableHasTheColumnsOfTheRowThenOfTheAnswerThenOurs(t *testing.T) {
	plain := newTable(t, sink.TableOptions{})
	require.Equal(t, append([]string{"response"}, ourColumns...), columnNames(plain.Columns()))

	structured := newTable(t, sink.TableOptions{
		Row:    []batch.Column{{Name: "review"}, {Name: "stars", Type: batch.IntColumn}},
		Answer: []batch.Column{{Name: "mood"}, {Name: "sure", Type: batch.FloatColumn}},
	})
	want := append([]string{"review", "stars", "mood", "sure", "response"}, ourColumns...)
	require.Equal(t, want, columnNames(structured.Columns()))
	require.Equal(t, batch.Column{Name: "stars", Type: batch.IntColumn}, structured.Columns()[1])

	embedding := newTable(t, sink.TableOptions{Embedding: true})
	require.Equal(t, append([]string{"embedding"}, ourColumns...), columnNames(embedding.Columns()))
	require.Equal(t, batch.VectorColumn, embedding.Columns()[0].Type)
}

func TestAColumnWhoseNameIsTakenGetsAPrefix(t *testing.T) {
	table := newTable(t, sink.TableOptions{
		Row:    []batch.Column{{Name: "ID"}, {Name: "gluepipe_id"}, {Name: "mood"}, {Name: "Error"}},
		Answer: []batch.Column{{Name: "Mood"}, {Name: "success"}, {Name: "answer_mood"}},
	})
	names := columnNames(table.Columns())
	require.Equal(t, []string{
		"ID", "gluepipe_id", "mood", "Error", "answer_Mood", "success", "answer_answer_mood", "response",
		"gluepipe_gluepipe_id", "gluepipe_success", "gluepipe_error", "error_type",
	}, names[:12])
	require.Equal(t, "gluepipe_gluepipe_id", table.ID())
	require.Equal(t, "gluepipe_success", table.Success())
	require.Equal(t, "fingerprint", table.Fingerprint())
	require.Equal(t, table.Fingerprint(), names[len(names)-1])

	r := success("a", 0)
	r.Row = &batch.Row{Columns: []batch.Column{{Name: "ID"}, {Name: "mood"}}, Values: []any{"7", "?"}}
	r.StructuredOutput = json.RawMessage(`{"Mood":"good","success":"yes","answer_mood":"fine"}`)
	cells := cellsOf(t, table, r)
	require.Equal(t, []any{"7", "?", "good", "yes", "fine", "a", true, nil}, []any{
		cells["ID"], cells["mood"], cells["answer_Mood"], cells["success"], cells["answer_answer_mood"],
		cells["gluepipe_gluepipe_id"], cells["gluepipe_success"], cells["gluepipe_id"],
	})
}

func TestATableMadeOfATableOfResultsHasBoth(t *testing.T) {
	first := newTable(t, sink.TableOptions{})
	second := newTable(t, sink.TableOptions{Row: first.Columns()})
	third := newTable(t, sink.TableOptions{Row: second.Columns()})
	require.Equal(t, []string{"id", "gluepipe_id", "gluepipe_gluepipe_id"}, []string{first.ID(), second.ID(), third.ID()})
	require.Len(t, third.Columns(), 3*len(first.Columns()))
}

func TestATableRefusesColumnsItCannotTellApart(t *testing.T) {
	text := func(names ...string) (columns []batch.Column) {
		for _, name := range names {
			columns = append(columns, batch.Column{Name: name})
		}
		return columns
	}
	for want, options := range map[string]sink.TableOptions{
		`there are two columns "a": rename one`: {Row: text("a", "b", "a")},
		`the columns "City" and "city" differ only in case, which tables don't tell apart: rename one`: {
			Row: text("City", "city"),
		},
		"column 2 has no name":                                              {Row: text("a", "")},
		"field 1 of the answer has no name":                                 {Answer: text("")},
		`the answer has the field "a" twice`:                                {Answer: text("a", "a")},
		"a table has the columns of an answer or of an embedding, not both": {Answer: text("a"), Embedding: true},
	} {
		_, err := sink.NewTable(options)
		require.EqualError(t, err, want)
	}
}

func TestATableHasTheValuesOfAResult(t *testing.T) {
	table := newTable(t, sink.TableOptions{})
	cost := 0.25
	r := success("a", 3)
	r.CostUSD, r.Model, r.FinishReason, r.ToolCallsMade = &cost, "echo", "stop", 2
	r.ElapsedTime = 1234567890 * time.Nanosecond
	r.Metadata = map[string]any{"row": json.Number("12345678901234567890"), "a": "<b>"}
	r.ToolCalls = []batch.ToolCall{{ID: "c1", Name: "now", Arguments: `{}`}}
	calls, err := json.Marshal(r.ToolCalls)
	require.NoError(t, err)
	require.Equal(t, map[string]any{
		"response": "Answer to a", "id": "a", "success": true, "error": nil, "error_type": nil,
		"tool_calls": json.RawMessage(calls), "tool_calls_made": int64(2),
		"prompt_tokens": int64(1), "completion_tokens": int64(2), "total_tokens": int64(3), "cost_usd": 0.25,
		"elapsed_time": 1.23456789, "attempts": int64(1), "model": "echo", "finish_reason": "stop",
		"metadata": json.RawMessage(`{"a":"<b>","row":12345678901234567890}`), "index": int64(3), "fingerprint": "v1:a",
	}, cellsOf(t, table, r))

	failed := failure("b", 4)
	require.Equal(t, map[string]any{
		"response": nil, "id": "b", "success": false, "error": "status 500", "error_type": "ServerError",
		"tool_calls": nil, "tool_calls_made": int64(0),
		"prompt_tokens": nil, "completion_tokens": nil, "total_tokens": nil, "cost_usd": nil,
		"elapsed_time": 0.0, "attempts": int64(1), "model": nil, "finish_reason": nil,
		"metadata": nil, "index": int64(4), "fingerprint": "v1:b",
	}, cellsOf(t, table, failed))

	nan := math.NaN()
	r = &batch.Result{ID: "c", Success: true, CostUSD: &nan}
	require.Nil(t, cellsOf(t, table, r)["cost_usd"])
	require.Equal(t, "", cellsOf(t, table, r)["response"], "an answer without text is one")
	r.StructuredOutput = json.RawMessage(`[1]`)
	require.Equal(t, "[1]", cellsOf(t, table, r)["response"])
}

func TestARecordIsReadFromTheValuesThatWereWritten(t *testing.T) {
	table := newTable(t, sink.TableOptions{Row: []batch.Column{{Name: "id"}, {Name: "cost_usd"}}})
	cost := 0.25
	good, bad := success("a", 0), failure("b", 1)
	good.CostUSD = &cost
	for _, r := range []*batch.Result{good, bad} {
		cells := cellsOf(t, table, r)
		var values, texts []any
		for _, column := range table.RecordColumns() {
			value := cells[column.Name]
			text, err := batch.Cell(batch.TextColumn, value)
			require.NoError(t, err)
			values, texts = append(values, value), append(texts, text)
		}
		want := &batch.Result{
			ID: r.ID, Success: r.Success, ErrorType: r.ErrorType, TokensUsed: r.TokensUsed, CostUSD: r.CostUSD,
			ElapsedTime: r.ElapsedTime, Fingerprint: r.Fingerprint,
		}
		for _, values := range [][]any{values, texts} {
			got, err := sink.ReadRecord(values)
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
	}
}

func TestARecordThatIsNoneIsRefused(t *testing.T) {
	for want, values := range map[string][]any{
		"want 9 values, got 1":                              {"a"},
		"want an id and success":                            {nil, true, nil, nil, nil, nil, nil, nil, nil},
		`column "success": want true or false, got "maybe"`: {"a", "maybe", nil, nil, nil, nil, nil, nil, nil},
		`column "elapsed_time": want a number, got NaN`:     {"a", true, nil, nil, nil, nil, nil, "NaN", nil},
		`column "total_tokens": want a whole number, got "x"`: {
			"a", true, nil, nil, nil, "x", nil, nil, nil,
		},
	} {
		_, err := sink.ReadRecord(values)
		require.EqualError(t, err, want)
	}
}
