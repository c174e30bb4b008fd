package sqldb_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	_ "modernc.org/sqlite"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/sink/sqldb"
	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// database is one that the tests have for themselves.
type database struct {
	*sql.DB
	dialect     sqldb.Dialect
	driver, dsn string
}

func sqlite(t testing.TB) *database {
	t.Helper()
	return openDatabase(t, sqldb.SQLite, "sqlite", sqldb.SQLiteDSN(filepath.Join(t.TempDir(), "te st?#%41.db")))
}

// postgres returns a new schema on the server that GLUEPIPE_TEST_POSTGRES names. Without it the test is skipped.
func postgres(t testing.TB) *database {
	t.Helper()
	server := os.Getenv("GLUEPIPE_TEST_POSTGRES")
	if server == "" {
		t.Skip("GLUEPIPE_TEST_POSTGRES names no server")
	}
	schema := strings.ToLower(fmt.Sprintf("sink_%s_%s", filepath.Base(filepath.Dir(t.TempDir())), filepath.Base(t.TempDir())))
	if len(schema) > 63 {
		schema = schema[len(schema)-63:]
	}
	admin := openDatabase(t, sqldb.Postgres, "pgx", server)
	admin.exec(t, `DROP SCHEMA IF EXISTS "`+schema+`" CASCADE`, `CREATE SCHEMA "`+schema+`"`)
	t.Cleanup(func() {
		_, err := admin.ExecContext(context.Background(), `DROP SCHEMA "`+schema+`" CASCADE`)
		require.NoError(t, err)
	})
	u, err := url.Parse(server)
	require.NoError(t, err)
	query := u.Query()
	query.Set("search_path", schema)
	u.RawQuery = query.Encode()
	return openDatabase(t, sqldb.Postgres, "pgx", u.String())
}

func openDatabase(t testing.TB, dialect sqldb.Dialect, driver, dsn string) *database {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return &database{db, dialect, driver, dsn}
}

// each runs a test with each database.
func each(t *testing.T, test func(t *testing.T, db *database)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) { test(t, sqlite(t)) })
	t.Run("Postgres", func(t *testing.T) { test(t, postgres(t)) })
}

func (db *database) exec(t testing.TB, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		_, err := db.ExecContext(context.Background(), statement)
		require.NoError(t, err, statement)
	}
}

// column returns the values of a query that has one column, as texts.
func (db *database) column(t testing.TB, query string) []string {
	t.Helper()
	rows, err := db.QueryContext(context.Background(), query)
	require.NoError(t, err, query)
	defer rows.Close()
	var values []string
	for rows.Next() {
		var value sql.NullString
		require.NoError(t, rows.Scan(&value))
		values = append(values, value.String)
	}
	require.NoError(t, rows.Err())
	return values
}

// open opens the table results for texts, and closes it with the test.
func (db *database) open(t testing.TB, change ...func(*sqldb.Options)) *sqldb.Output {
	t.Helper()
	o, err := sqldb.Open(t.Context(), db.DB, db.options(t, change...))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, o.Close(context.Background())) })
	return o
}

func (db *database) options(t testing.TB, change ...func(*sqldb.Options)) sqldb.Options {
	t.Helper()
	options := sqldb.Options{Dialect: db.dialect, Name: "results", Table: table(t, sink.TableOptions{})}
	for _, f := range change {
		f(&options)
	}
	return options
}

func with(t testing.TB, o sink.TableOptions) func(*sqldb.Options) {
	t.Helper()
	return func(options *sqldb.Options) { options.Table = table(t, o) }
}

func rerunFailed(o *sqldb.Options) { o.RerunFailed = true }
func overwrite(o *sqldb.Options)   { o.Overwrite = true }

func table(t testing.TB, options sink.TableOptions) *sink.Table {
	t.Helper()
	layout, err := sink.NewTable(options)
	require.NoError(t, err)
	return layout
}

func write(t testing.TB, o *sqldb.Output, results ...*batch.Result) {
	t.Helper()
	require.NoError(t, o.Write(t.Context(), results))
}

func success(id, response string) *batch.Result {
	return &batch.Result{
		ID: id, Success: true, Response: response, Attempts: 1, Fingerprint: "v1:" + id,
		TokensUsed: &batch.TokenUsage{Prompt: 1, Completion: 2, Total: 3},
	}
}

func failure(id string) *batch.Result {
	r := &batch.Result{ID: id, Attempts: 1, Fingerprint: "v1:" + id}
	r.SetError(batch.ErrServer.Errorf("status 500"))
	return r
}
