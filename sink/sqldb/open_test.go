package sqldb_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/sink/sqldb"
	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestNamesAreNoSQL(t *testing.T) {
	const name, column = `results"; DROP TABLE x; --`, `a"b'; DROP TABLE x; -- $1 ?`
	each(t, func(t *testing.T, db *database) {
		db.exec(t, `CREATE TABLE x (n int)`)
		columns := []batch.Column{{Name: column}}
		for range 2 { // created, and found
			o := db.open(t, with(t, sink.TableOptions{Row: columns}), func(o *sqldb.Options) { o.Name = name })
			r := success(`'; DROP TABLE x; --`, "$1")
			r.Row = &batch.Row{Columns: columns, Values: []any{"value"}}
			write(t, o, r)
			require.NoError(t, o.Close(t.Context()))
		}
		require.Equal(t, []string{"value"}, db.column(t, `SELECT "a""b'; DROP TABLE x; -- $1 ?" FROM "results""; DROP TABLE x; --"`))
		require.Empty(t, db.column(t, `SELECT n FROM x`))
	})
}

func TestATableMayHaveASchema(t *testing.T) {
	db := postgres(t)
	schema := db.column(t, `SELECT current_schema()`)[0]
	o := db.open(t, func(o *sqldb.Options) { o.Name = schema + ".results" })
	write(t, o, success("a", "x"))
	require.Equal(t, []string{"a"}, db.column(t, `SELECT id FROM results`))
	_, err := sqldb.Open(t.Context(), db.DB, db.options(t, func(o *sqldb.Options) { o.Name = "nowhere.results" }))
	require.ErrorContains(t, err, `table nowhere.results: creating it: `)
	require.ErrorContains(t, err, `schema "nowhere" does not exist`)
}

func TestASecondRunIntoATableIsRefusedWhileTheFirstHasIt(t *testing.T) {
	each(t, func(t *testing.T, db *database) {
		first := db.open(t)
		_, err := sqldb.Open(t.Context(), db.DB, db.options(t))
		require.EqualError(t, err, "table results: another run is writing it: wait for its end, or choose another table")
		db.open(t, func(o *sqldb.Options) { o.Name = "others" })
		require.NoError(t, first.Close(t.Context()))
		db.open(t)
	})
}

func TestOptionsThatAreWrongAreNamed(t *testing.T) {
	db := sqlite(t)
	for want, change := range map[string]func(*sqldb.Options){
		`options: Dialect: want Postgres or SQLite, got Dialect(0)`:                            func(o *sqldb.Options) { o.Dialect = 0 },
		`options: Table is missing: sink.NewTable makes one`:                                   func(o *sqldb.Options) { o.Table = nil },
		`options: Name: want the name of a table, such as results or out.results, got ""`:      func(o *sqldb.Options) { o.Name = "" },
		`options: Name: want the name of a table, such as results or out.results, got "a.b.c"`: func(o *sqldb.Options) { o.Name = "a.b.c" },
		`options: Name: want the name of a table, such as results or out.results, got ".b"`:    func(o *sqldb.Options) { o.Name = ".b" },
		"table a\x00: the name \"a\\x00\" has a zero byte":                                     func(o *sqldb.Options) { o.Name = "a\x00" },
	} {
		_, err := sqldb.Open(t.Context(), db.DB, db.options(t, change))
		require.EqualError(t, err, want)
	}
	pg := postgres(t)
	_, err := sqldb.Open(t.Context(), pg.DB, pg.options(t, func(o *sqldb.Options) { o.Name = strings.Repeat("x", 64) }))
	require.ErrorContains(t, err, "is longer than the 63 bytes that Postgres keeps of one")
}

func TestAPasswordStandsInNoError(t *testing.T) {
	db := openDatabase(t, sqldb.Postgres, "pgx", "postgres://me:hunter2@127.0.0.1:1/shop?sslmode=disable")
	_, err := sqldb.Open(t.Context(), db.DB, db.options(t))
	require.ErrorContains(t, err, "table results: ")
	require.NotContains(t, err.Error(), "hunter2")
}
