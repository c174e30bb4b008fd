package sqldb_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/sink/sqldb"
	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestTextsThatNoDatabaseTakesAreStoredAllTheSame(t *testing.T) {
	each(t, func(t *testing.T, db *database) {
		o := db.open(t)
		r := success("a", "a\x00b\xffc")
		r.Metadata = map[string]any{"z": json.RawMessage(`"\u0000 \\u0000 \ud800 \ud83d\ude00 \u00e9"`)}
		write(t, o, r)
		require.Zero(t, o.Refused())
		require.Equal(t, []string{"a\uFFFDb\uFFFDc"}, db.column(t, `SELECT response FROM results`))
		if db.dialect == sqldb.Postgres {
			require.Equal(t, []string{"\uFFFD \\u0000 \uFFFD 😀 é"}, db.column(t, `SELECT metadata->>'z' FROM results`))
		}
	})
}

func TestAResultThatTheTableRefusesIsAFailureAndTheOthersAreStored(t *testing.T) {
	answer := []batch.Column{{Name: "stars", Type: batch.IntColumn}}
	each(t, func(t *testing.T, db *database) {
		db.exec(t, `CREATE TABLE results (stars integer CHECK (stars <= 5), id text PRIMARY KEY, `+ours+`)`)
		o := db.open(t, with(t, sink.TableOptions{Answer: answer}))
		var results []*batch.Result
		for i, stars := range []int64{1, 5, 6, 4} {
			r := success(fmt.Sprint(i), fmt.Sprintf(`{"stars":%d}`, stars))
			r.StructuredOutput = json.RawMessage(r.Response)
			results = append(results, r)
		}
		write(t, o, results...)
		require.Equal(t, 1, o.Refused())
		require.True(t, results[2].Success, "the results are not the sink's to change")
		require.Equal(t, []string{"0 1", "1 5", "2 -", "3 4"},
			db.column(t, `SELECT id || ' ' || coalesce(CAST(stars AS text), '-') FROM results ORDER BY id`))
		refused := db.column(t, `SELECT error_type || ': ' || error || ' ' || response FROM results WHERE NOT success`)
		require.Len(t, refused, 1)
		require.Contains(t, refused[0], "StageError: the table refuses the result: ")
		require.Contains(t, refused[0], `{"stars":6}`, "what was paid for is kept")
	})
}

func TestAValueOfARowThatDoesNotFitItsColumnLosesNoOther(t *testing.T) {
	columns := []batch.Column{{Name: "n", Type: batch.IntColumn}}
	each(t, func(t *testing.T, db *database) {
		o := db.open(t, with(t, sink.TableOptions{Row: columns}))
		good, bad := success("good", "x"), success("bad", "x")
		good.Row = &batch.Row{Columns: columns, Values: []any{int64(1)}}
		bad.Row = &batch.Row{Columns: columns, Values: []any{"soon"}}
		write(t, o, bad, good)
		require.Equal(t, []string{`bad the table refuses the result: column "n": want a whole number, got "soon"`, "good "},
			db.column(t, `SELECT id || ' ' || coalesce(error, '') FROM results ORDER BY id`))
	})
}

func TestOnlySuccessesThatBecameFailuresAreCountedAsRefused(t *testing.T) {
	each(t, func(t *testing.T, db *database) {
		db.exec(t, `CREATE TABLE results (id text PRIMARY KEY, `+strings.Replace(ours, "error text",
			"error text CHECK (error <> 'status 500')", 1)+`)`)
		o := db.open(t)
		write(t, o, failure("a"), success("b", "x"))
		require.Zero(t, o.Refused())
		require.Equal(t, []string{"a", "b"}, db.column(t, `SELECT id FROM results ORDER BY id`))
	})
}

func TestAResultThatCanNotBeStoredAtAllBreaksTheRunAndTheOthersAreStored(t *testing.T) {
	each(t, func(t *testing.T, db *database) {
		db.exec(t, `CREATE TABLE results (id text PRIMARY KEY CHECK (length(id) < 5), `+ours+`)`)
		o := db.open(t)
		good, bad := success("good", "x"), success("too long", "x")
		err := o.Write(t.Context(), []*batch.Result{bad, good})
		require.ErrorContains(t, err, `table results: request "too long" can't be stored, not even as a failure: `)
		var partial *sink.PartialError
		require.ErrorAs(t, err, &partial)
		require.Equal(t, []*batch.Result{good}, partial.Written)
		require.Equal(t, []string{"good"}, db.column(t, `SELECT id FROM results`))
	})
}

func TestATableThatRefusesEverythingBreaksTheRun(t *testing.T) {
	each(t, func(t *testing.T, db *database) {
		db.exec(t, `CREATE TABLE results (id text PRIMARY KEY, `+strings.Replace(ours, "response text",
			"response text CHECK (response IS NULL OR length(response) < 3)", 1)+`)`)
		o := db.open(t)
		var err error
		written := 0
		for err == nil {
			err = o.Write(t.Context(), []*batch.Result{success(fmt.Sprint(written), "a long text")})
			written++
		}
		require.Equal(t, 20, written, "some may be refused without harm")
		require.ErrorContains(t, err, "table results: it refused 20 results one after the other: change the table")
		require.Len(t, db.column(t, `SELECT id FROM results WHERE NOT success`), 20)
	})
}
