package sqldb_test

import (
	"context"
	"database/sql"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	_ "modernc.org/sqlite"

	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/source/sqldb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sqlite returns a new database of its own.
func sqlite(t *testing.T) *sql.DB {
	t.Helper()
	return open(t, "sqlite", "file:"+filepath.Join(t.TempDir(), "test.db")+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)")
}

// postgres returns a connection to a new schema of the server that GLUEPIPE_TEST_POSTGRES names. Without it the test is
// skipped.
func postgres(t *testing.T) *sql.DB {
	t.Helper()
	server := os.Getenv("GLUEPIPE_TEST_POSTGRES")
	if server == "" {
		t.Skip("GLUEPIPE_TEST_POSTGRES names no server")
	}
	schema := "source_" + strings.ToLower(strings.ReplaceAll(filepath.Base(t.TempDir()+t.Name()), "/", "_"))
	if len(schema) > 60 {
		schema = schema[:60]
	}
	admin := open(t, "pgx", server)
	exec(t, admin, `DROP SCHEMA IF EXISTS "`+schema+`" CASCADE`, `CREATE SCHEMA "`+schema+`"`)
	t.Cleanup(func() {
		_, err := admin.ExecContext(context.Background(), `DROP SCHEMA "`+schema+`" CASCADE`)
		require.NoError(t, err)
	})
	u, err := url.Parse(server)
	require.NoError(t, err)
	query := u.Query()
	query.Set("search_path", schema)
	u.RawQuery = query.Encode()
	return open(t, "pgx", u.String())
}

func open(t *testing.T, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// each runs a test with each database.
func each(t *testing.T, test func(t *testing.T, db *sql.DB)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) { test(t, sqlite(t)) })
	t.Run("Postgres", func(t *testing.T) { test(t, postgres(t)) })
}

func exec(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		_, err := db.ExecContext(t.Context(), statement)
		require.NoError(t, err, statement)
	}
}

func query(t *testing.T, db *sql.DB, query string, args ...any) *sqldb.Reader {
	t.Helper()
	r, err := sqldb.Query(t.Context(), db, query, args...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

// next returns the next row, which must be one.
func next(t *testing.T, r *sqldb.Reader) source.TableRow {
	t.Helper()
	row, err := r.Next(t.Context())
	require.NoError(t, err)
	return row
}

func requireEnd(t *testing.T, r *sqldb.Reader) {
	t.Helper()
	for range 3 {
		_, err := r.Next(t.Context())
		require.Equal(t, io.EOF, err)
	}
}
