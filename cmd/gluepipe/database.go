package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // the driver "sqlite"

	sqlsink "github.com/gluepipe/gluepipe/sink/sqldb"
)

// formatDatabase is where results go into a table of a database. It has no name on the command line: addresses tell.
const formatDatabase = "database"

// isDatabase tells whether an input or output is a database: postgres://..., sqlite:FILE, or a file named like one.
func isDatabase(name string) bool {
	scheme, _, found := strings.Cut(name, ":")
	if found && slices.Contains([]string{"postgres", "postgresql", "sqlite"}, scheme) {
		return true
	}
	return slices.Contains([]string{".db", ".sqlite", ".sqlite3"}, strings.ToLower(filepath.Ext(name)))
}

// openDatabase connects to a database. Its errors don't repeat the address, which may have a password.
func openDatabase(ctx context.Context, address string) (*sql.DB, sqlsink.Dialect, error) {
	if !strings.HasPrefix(address, "postgres:") && !strings.HasPrefix(address, "postgresql:") {
		db, err := sql.Open("sqlite", sqlsink.SQLiteDSN(strings.TrimPrefix(strings.TrimPrefix(address, "sqlite:"), "//")))
		return db, sqlsink.SQLite, err
	}
	config, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, 0, usagef("the address of the database: want postgres://USER@HOST:PORT/DATABASE")
	}
	db := stdlib.OpenDB(*config)
	if err := db.PingContext(ctx); err != nil {
		return nil, 0, errors.Join(fmt.Errorf("connecting to %s: %w", databaseName(address), err), db.Close())
	}
	return db, sqlsink.Postgres, nil
}

// databaseName tells people which database it is, without the user and the password.
func databaseName(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return address
	}
	return u.Host + u.Path
}
