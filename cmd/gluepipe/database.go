package main

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // the driver "sqlite"

	sqlsink "github.com/gluepipe/gluepipe/sink/sqldb"
	sqlsource "github.com/gluepipe/gluepipe/source/sqldb"
)

// formatDatabase is where results go into a table of a database. It has no name on the command line: addresses tell.
const formatDatabase = "database"

const sqliteScheme = "sqlite:"

// isDatabase tells whether an input or output is a database: postgres://..., sqlite:FILE, or a file named like one.
func isDatabase(name string) bool {
	suffix := strings.ToLower(filepath.Ext(name))
	return isPostgres(name) || strings.HasPrefix(name, sqliteScheme) ||
		slices.Contains([]string{".db", ".sqlite", ".sqlite3"}, suffix) && !isURL(name)
}

func isPostgres(name string) bool {
	return strings.HasPrefix(name, "postgres:") || strings.HasPrefix(name, "postgresql:")
}

// sqliteFile returns the path of a SQLite database.
func sqliteFile(address string) string {
	path, found := strings.CutPrefix(address, sqliteScheme)
	if found {
		path = strings.TrimPrefix(path, "//")
	}
	return path
}

// openDatabase opens a database to write to.
func openDatabase(ctx context.Context, address string) (*sql.DB, sqlsink.Dialect, error) {
	if isPostgres(address) {
		db, err := openPostgres(ctx, address)
		return db, sqlsink.Postgres, err
	}
	path := sqliteFile(address)
	if path == "" || path == ":memory:" {
		return nil, 0, usagef("%s: want a file: sqlite:FILE", address)
	}
	db, err := sql.Open("sqlite", sqlsink.SQLiteDSN(path))
	return db, sqlsink.SQLite, err
}

// openForQuery opens a database to read from: whatever a query says, nothing is changed. outputs are what the run writes.
// The caller calls free when the query is closed.
func openForQuery(ctx context.Context, address string, outputs ...string) (q sqlsource.Querier, free func() error, err error) {
	if isPostgres(address) {
		db, err := openPostgres(ctx, address)
		if err != nil {
			return nil, nil, err
		}
		tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
		if err != nil {
			return nil, nil, errors.Join(err, db.Close())
		}
		return tx, func() error {
			_ = tx.Rollback() // there is nothing to be undone
			return db.Close()
		}, nil
	}
	path := sqliteFile(address)
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, usagef("%s: want a SQLite file", path)
	}
	dsn := sqlsource.SQLiteDSN(path)
	for _, output := range outputs {
		if isDatabase(output) && sameFile(fileInfo(sqliteFile(output), nil), info) {
			dsn = sqlsink.SQLiteDSN(path) + "&_pragma=query_only(1)"
		}
	}
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, nil, err
	}
	return db, db.Close, nil
}

// openPostgres connects to a server. Its errors don't repeat the address, which may have a password.
func openPostgres(ctx context.Context, address string) (*sql.DB, error) {
	config, err := pgx.ParseConfig(address)
	if err != nil || !strings.Contains(address, "://") {
		return nil, usagef("the address of the database: want postgres://USER@HOST:PORT/DATABASE")
	}
	db := stdlib.OpenDB(*config)
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("connecting to %s: %w", databaseName(address), err), db.Close())
	}
	return db, nil
}

// databaseName tells people which database it is, without the user and the password.
func databaseName(address string) string {
	if !isPostgres(address) {
		return address
	}
	u, err := url.Parse(address)
	if err != nil {
		return "postgres://..."
	}
	name := cmp.Or(u.Host, u.Query().Get("host")) + u.Path
	return cmp.Or(name, "postgres://...")
}
