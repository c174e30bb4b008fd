package sqldb_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/sink/sqldb"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// ours are the columns that every table of results has, but for id.
const ours = `response text, success boolean, error text, error_type text, tool_calls text, tool_calls_made bigint,
	prompt_tokens bigint, completion_tokens bigint, total_tokens bigint, cost_usd real, elapsed_time real, attempts bigint,
	model text, finish_reason text, metadata text, "index" bigint, fingerprint text`

func TestATableOfOnesOwnKeepsItsOtherColumns(t *testing.T) {
	each(t, func(t *testing.T, db *database) {
		db.exec(t, `CREATE TABLE results (note text, seen integer NOT NULL DEFAULT 5, id text NOT NULL, `+ours+`)`,
			`CREATE UNIQUE INDEX by_id ON results (id)`,
			`INSERT INTO results (id, note, seen) VALUES ('a', 'mine', 7)`)
		o := db.open(t)
		require.Zero(t, o.Earlier().TotalRequests, "a row without success is no result yet")
		requireDone(t, o, map[string]bool{"a": false})
		write(t, o, success("a", "x"), success("b", "y"))
		require.Equal(t, []string{"a mine 7 x", "b - 5 y"},
			db.column(t, `SELECT id || ' ' || coalesce(note, '-') || ' ' || seen || ' ' || response FROM results ORDER BY id`))
	})
}

func TestATableThatDoesNotFitIsRefusedAndLeftAsItIs(t *testing.T) {
	for name, c := range map[string]struct{ create, want string }{
		"a column is missing": {
			`CREATE TABLE results (id text PRIMARY KEY, response text)`,
			`table results: it has no column "success", which results have: add it with type `,
		},
		"a column is of another type": {
			`CREATE TABLE results (id text PRIMARY KEY, ` + strings.Replace(ours, "attempts bigint", "attempts text", 1) + `)`,
			`table results: its column "attempts" is of type `,
		},
		"the id doesn't tell rows apart": {
			`CREATE TABLE results (id text, ` + ours + `)`,
			`table results: its column "id" must tell the rows apart: CREATE UNIQUE INDEX ON "results" ("id"), or choose another table`,
		},
		"the id does so with another column only": {
			`CREATE TABLE results (id text, day text, ` + ours + `, PRIMARY KEY (id, day))`,
			`table results: its column "`,
		},
		"another column must have a value": {
			`CREATE TABLE results (id text PRIMARY KEY, day text NOT NULL, ` + ours + `)`,
			`table results: its column "day" takes no null and has no default, but results don't have it`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, db *database) {
				db.exec(t, c.create)
				_, err := sqldb.Open(t.Context(), db.DB, db.options(t))
				require.ErrorContains(t, err, c.want)
				require.Zero(t, db.Stats().InUse)
				require.Empty(t, db.column(t, `SELECT response FROM results`))
			})
		})
	}
}

func TestTypesOfATableOfOnesOwnAreFilledAsTheyAre(t *testing.T) {
	db := postgres(t)
	db.exec(t, `CREATE TYPE mood AS ENUM ('sad', 'ok')`, `CREATE DOMAIN positive AS int CHECK (value > 0)`,
		`CREATE TABLE results (price numeric, day date, u uuid, feeling mood, n positive, at timestamp, v double precision[],
			plain json, code varchar(10), id varchar PRIMARY KEY, `+ours+`)`)
	columns := []batch.Column{
		{Name: "price", Type: batch.FloatColumn},
		{Name: "day"},
		{Name: "u"},
		{Name: "feeling"},
		{Name: "n", Type: batch.IntColumn},
		{Name: "at", Type: batch.TimeColumn},
		{Name: "v", Type: batch.VectorColumn},
		{Name: "plain", Type: batch.JSONColumn},
		{Name: "code"},
	}
	layout := with(t, sink.TableOptions{Row: columns})
	o := db.open(t, layout)
	r := success("a", "x")
	row := `{"price":12345678901234567890.12,"day":"2024-01-02","u":"070e132d-ab59-4366-bd98-affefdc185cc","feeling":"ok","n":3,
		"at":"2024-01-02T05:04:05+02:00","v":[0.5,1],"plain":{"b":1,"a":[]},"code":"x"}`
	r.Row = &batch.Row{}
	require.NoError(t, r.Row.UnmarshalJSON([]byte(row)))
	write(t, o, r)
	require.Zero(t, o.Refused())
	require.Equal(t, []string{"12345678901234567890.12,2024-01-02,070e132d-ab59-4366-bd98-affefdc185cc,ok,3,2024-01-02 03:04:05," +
		`{0.5,1},{"b":1,"a":[]},x`},
		db.column(t, `SELECT concat_ws(',', price, day, u, feeling, n, at, v, plain, code) FROM results`))
}

func TestAChangedRequestIsToldThoughNoOtherConnectionIsToBeHad(t *testing.T) {
	db := sqlite(t)
	o := db.open(t)
	write(t, o, success("a", "x"))
	require.NoError(t, o.Close(t.Context()))

	db.SetMaxOpenConns(1)
	o = db.open(t)
	_, err := o.Done("a", "v1:other")
	var changed *sink.ChangedError
	require.ErrorAs(t, err, &changed)
	require.Equal(t, "another", changed.Earlier)
}
