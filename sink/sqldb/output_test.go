package sqldb_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/sink/sinktest"
	"github.com/gluepipe/gluepipe/sink/sqldb"
	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestATableIsASink(t *testing.T) {
	each(t, func(t *testing.T, db *database) {
		// A row keeps the whole result, so that it can be compared; the order is that of the writes.
		whole := []batch.Column{{Name: "number", Type: batch.IntColumn}, {Name: "whole", Type: batch.JSONColumn}}
		if db.dialect == sqldb.Postgres {
			whole[1].Type = batch.TextColumn // jsonb writes it in its own way
		}
		sinktest.Run(t, sinktest.Harness{
			Open: func(t *testing.T) (batch.Sink, func() []*batch.Result) {
				o, err := sqldb.Open(t.Context(), db.DB, db.options(t, overwrite, with(t, sink.TableOptions{Row: whole})))
				require.NoError(t, err)
				return &keeper{Output: o, columns: whole}, func() []*batch.Result { return kept(t, db) }
			},
			Broken: func(t *testing.T) (batch.Sink, string) {
				o, err := sqldb.Open(t.Context(), db.DB, db.options(t, overwrite, with(t, sink.TableOptions{Row: whole})))
				require.NoError(t, err)
				db.exec(t, `ALTER TABLE results RENAME TO elsewhere`)
				t.Cleanup(func() { db.exec(t, `ALTER TABLE elsewhere RENAME TO results`) })
				return o, "table results: "
			},
		})
	})
}

// keeper puts results into a row of their own.
type keeper struct {
	*sqldb.Output
	columns []batch.Column
	count   int64
}

func (k *keeper) Write(ctx context.Context, results []*batch.Result) error {
	rows := make([]*batch.Result, len(results))
	for i, r := range results {
		raw, err := r.AppendJSON(nil)
		if err != nil {
			return err
		}
		k.count++
		rows[i] = &batch.Result{}
		*rows[i] = *r
		rows[i].Row = &batch.Row{Columns: k.columns, Values: []any{k.count, json.RawMessage(raw)}}
		if k.columns[1].Type == batch.TextColumn {
			rows[i].Row.Values[1] = string(raw)
		}
	}
	return k.Output.Write(ctx, rows)
}

func kept(t *testing.T, db *database) []*batch.Result {
	t.Helper()
	var results []*batch.Result
	for _, text := range db.column(t, `SELECT whole FROM results ORDER BY number`) {
		r := &batch.Result{}
		require.NoError(t, json.Unmarshal([]byte(text), r))
		results = append(results, r)
	}
	return results
}

func TestValuesOfEveryTypeStandInTypedColumns(t *testing.T) {
	columns := []batch.Column{
		{Name: "a text"},
		{Name: "n", Type: batch.IntColumn},
		{Name: "f", Type: batch.FloatColumn},
		{Name: "b", Type: batch.BoolColumn},
		{Name: "at", Type: batch.TimeColumn},
		{Name: "raw", Type: batch.BytesColumn},
		{Name: "v", Type: batch.VectorColumn},
		{Name: "j", Type: batch.JSONColumn},
	}
	at := time.Date(2024, 1, 2, 5, 4, 5, 678901000, time.FixedZone("", 7200))
	each(t, func(t *testing.T, db *database) {
		o := db.open(t, with(t, sink.TableOptions{Row: columns}))
		full, nothing := success("full", "x"), success("nothing", "")
		full.Row = &batch.Row{Columns: columns, Values: []any{
			`it's "quoted"; $1 ?1`, int64(math.MaxInt64), json.Number("0.1"), true, at,
			[]byte{0, 255},
			[]float32{0.1, -2},
			json.RawMessage(`{"a":[1,null]}`),
		}}
		nothing.Row = &batch.Row{Columns: columns, Values: make([]any, len(columns))}
		write(t, o, full, nothing)

		var text sql.NullString
		var n sql.NullInt64
		var f sql.NullFloat64
		var b sql.NullBool
		var when sql.NullTime
		var raw []byte
		var vector, j sql.NullString
		scan := func(id string) {
			t.Helper()
			row := db.QueryRowContext(t.Context(), `SELECT "a text", n, f, b, at, raw, v, j FROM results WHERE id = $1`, id)
			require.NoError(t, row.Scan(&text, &n, &f, &b, &when, &raw, &vector, &j))
		}
		scan("full")
		require.Equal(t, `it's "quoted"; $1 ?1`, text.String)
		require.Equal(t, int64(math.MaxInt64), n.Int64)
		require.InDelta(t, 0.1, f.Float64, 0)
		require.True(t, b.Bool)
		require.True(t, at.Equal(when.Time), "%s", when.Time)
		require.Equal(t, []byte{0, 255}, raw)
		require.Equal(t, "0.1,-2", strings.Trim(vector.String, "[]{}"))
		require.JSONEq(t, `{"a":[1,null]}`, j.String)
		scan("nothing")
		require.False(t, text.Valid || n.Valid || f.Valid || b.Valid || when.Valid || raw != nil || vector.Valid || j.Valid)
	})
}

func TestARowStandsOnceHoweverOftenItIsWritten(t *testing.T) {
	each(t, func(t *testing.T, db *database) {
		o := db.open(t)
		write(t, o, failure("a"), success("b", "first"), success("c", "old"), success("c", "new"))
		write(t, o, success("a", "better"), success("b", "second"))
		require.Equal(t, []string{"a better", "b second", "c new"}, db.column(t, `SELECT id || ' ' || response FROM results ORDER BY id`))
		require.Equal(t, []string{""}, db.column(t, `SELECT error FROM results WHERE id = 'a'`), "the failure is gone")
	})
}

func TestARunIsContinuedByWhatStandsInTheTable(t *testing.T) {
	each(t, func(t *testing.T, db *database) {
		o := db.open(t)
		require.Equal(t, "results", o.Path())
		require.Zero(t, o.Earlier().TotalRequests)
		write(t, o, success("a", "x"), failure("b"))
		require.NoError(t, o.Close(t.Context()))

		o = db.open(t)
		earlier := o.Earlier()
		require.Equal(t, 2, earlier.TotalRequests)
		require.Equal(t, 1, earlier.SuccessfulRequests)
		require.Equal(t, 1, earlier.FailedByType[batch.ErrServer])
		require.Equal(t, int64(3), earlier.TotalTokensUsed.Total)
		requireDone(t, o, map[string]bool{"a": true, "b": true, "c": false})
		_, err := o.Done("a", "v1:other")
		var changed *sink.ChangedError
		require.ErrorAs(t, err, &changed)
		require.Equal(t, sink.ChangedError{Path: "results", ID: "a", Earlier: "v1:a", Now: "v1:other"}, *changed)
		_, err = o.Done("b", "v1:other")
		require.ErrorAs(t, err, &changed)
		require.True(t, changed.Failed)
		require.NoError(t, o.Close(t.Context()))

		o = db.open(t, rerunFailed)
		require.Equal(t, 1, o.Recovered().RemovedFailed)
		require.Equal(t, 1, o.Earlier().TotalRequests)
		requireDone(t, o, map[string]bool{"a": true, "b": false})
		require.Len(t, db.column(t, `SELECT id FROM results`), 2, "it stands until it is replaced")
		require.NoError(t, o.Close(t.Context()))

		o = db.open(t, overwrite)
		require.Zero(t, o.Earlier().TotalRequests)
		require.Empty(t, db.column(t, `SELECT id FROM results`))
	})
}

func requireDone(t *testing.T, o *sqldb.Output, want map[string]bool) {
	t.Helper()
	for id, is := range want {
		done, err := o.Done(id, "v1:"+id)
		require.NoError(t, err)
		require.Equal(t, is, done, id)
	}
}

func TestAnswersAndEmbeddingsAreColumns(t *testing.T) {
	each(t, func(t *testing.T, db *database) {
		o := db.open(t, with(t, sink.TableOptions{Answer: []batch.Column{{Name: "label"}, {Name: "score", Type: batch.IntColumn}}}))
		r := success("a", `{"label":"good","score":7}`)
		r.StructuredOutput = json.RawMessage(r.Response)
		write(t, o, r)
		require.Equal(t, []string{"good 7"}, db.column(t, `SELECT label || ' ' || score FROM results WHERE score > 6`))

		e := db.open(t, with(t, sink.TableOptions{Embedding: true}), func(o *sqldb.Options) { o.Name = "vectors" })
		write(t, e, &batch.Result{ID: "a", Success: true, Embedding: []float32{0.25, -1}})
		require.Equal(t, "0.25,-1", strings.Trim(db.column(t, `SELECT embedding FROM vectors`)[0], "[]{}"))
	})
}

func TestAnOutputGivesItsConnectionsBack(t *testing.T) {
	each(t, func(t *testing.T, db *database) {
		o := db.open(t)
		require.Equal(t, 1, db.Stats().InUse)
		write(t, o, success("a", "x"))
		require.NoError(t, o.Close(t.Context()))
		require.Zero(t, db.Stats().InUse)
		require.EqualError(t, o.Write(t.Context(), []*batch.Result{success("b", "x")}), "table results: it is closed")
		require.NoError(t, db.PingContext(t.Context()))
	})
}

func TestAnOpenReaderOfTheSameSQLiteFileHindersNoWrite(t *testing.T) {
	db := sqlite(t)
	o := db.open(t)
	for i := range 300 {
		write(t, o, success(fmt.Sprint(i), strings.Repeat("x", 100)))
	}
	rows, err := db.QueryContext(t.Context(), `SELECT id FROM results`)
	require.NoError(t, err)
	defer rows.Close()
	require.True(t, rows.Next())
	write(t, o, success("more", "x"))
	require.True(t, rows.Next())
}

func TestAnEndedContextWritesNothing(t *testing.T) {
	each(t, func(t *testing.T, db *database) {
		o := db.open(t)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, o.Write(ended, []*batch.Result{success("a", "x")}), context.Canceled)
		require.Empty(t, db.column(t, `SELECT id FROM results`))
	})
}

func TestATableOfManyColumnsStaysWithinTheParametersOfAStatement(t *testing.T) {
	each(t, func(t *testing.T, db *database) {
		columns := make([]batch.Column, 900)
		values := make([]any, len(columns))
		for i := range columns {
			columns[i].Name = fmt.Sprint("column ", i)
			values[i] = "v"
		}
		o := db.open(t, with(t, sink.TableOptions{Row: columns}))
		results := make([]*batch.Result, 200)
		for i := range results {
			results[i] = success(fmt.Sprint(i), "x")
			results[i].Row = &batch.Row{Columns: columns, Values: values}
		}
		write(t, o, results...)
		require.Equal(t, []string{"200"}, db.column(t, `SELECT count(*) FROM results WHERE "column 899" = 'v'`))
	})
}
