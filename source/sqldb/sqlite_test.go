package sqldb_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/source/sqldb"
)

func TestAFileOpenedForReadingIsNotChangedByAQuery(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b?#%.db")
	created := strings.NewReplacer("mode=rw", "mode=rwc", "query_only%281%29", "query_only%280%29").Replace(sqldb.SQLiteDSN(path))
	exec(t, open(t, "sqlite", created),
		`CREATE TABLE items (id INTEGER)`, `INSERT INTO items VALUES (1)`)
	require.FileExists(t, path)
	db := open(t, "sqlite", sqldb.SQLiteDSN(path))
	for _, statement := range []string{"DELETE FROM items RETURNING id", "SELECT id FROM items; DROP TABLE items"} {
		_, err := sqldb.Query(t.Context(), db, statement)
		require.ErrorContains(t, err, "readonly")
	}
	r := query(t, db, "SELECT id FROM items")
	require.Equal(t, int64(1), next(t, r).Value("id"))
	requireEnd(t, r)
}

func TestAFileOpenedForReadingIsNotCreated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	_, err := sqldb.Query(t.Context(), open(t, "sqlite", sqldb.SQLiteDSN(path)), "SELECT 1 AS n")
	require.ErrorContains(t, err, "unable to open database file")
	require.NoFileExists(t, path)
}

func TestARowIsReadInATransactionOfTheCallers(t *testing.T) {
	each(t, func(t *testing.T, db *sql.DB) {
		exec(t, db, `CREATE TABLE items (id INTEGER)`, `INSERT INTO items VALUES (1)`)
		tx, err := db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		r, err := sqldb.Query(t.Context(), tx, "SELECT id FROM items")
		require.NoError(t, err)
		require.Equal(t, int64(1), next(t, r).Value("id"))
		require.NoError(t, r.Close())
		require.NoError(t, tx.Rollback())
	})
}
