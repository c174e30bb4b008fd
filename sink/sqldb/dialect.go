package sqldb

import (
	"context"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// Dialect is a kind of database.
type Dialect int

// The databases that results can be written to.
const (
	Postgres Dialect = iota + 1
	SQLite
)

// String returns the name of the database.
func (d Dialect) String() string {
	if known := d.dialect(); known != nil {
		return known.name
	}
	return "Dialect(" + strconv.Itoa(int(d)) + ")"
}

// dialect is what one database does in its own way. What it doesn't say is the same in all: identifiers in double quotes,
// ON CONFLICT, savepoints.
type dialect struct {
	name          string
	maxParameters int    // of one statement
	maxIdentifier int    // in bytes; 0 is no limit
	begin         string // begins a transaction that writes
	foldsCase     bool   // of quoted identifiers
	types         [batch.JSONColumn + 1]string
	placeholder   func(n int) string                                               // of the parameter n, from 1; each stands once, in order
	parameter     func(c column, value any) any                                    // what the driver is given for a value
	fits          func(t batch.ColumnType, databaseType string) bool               // whether a column of that type can hold values of t
	describe      func(ctx context.Context, s *session, n name) (*existing, error) // nil where there is no such table
	lock          func(ctx context.Context, s *session, n name) error
}

func (d *dialect) String() string { return d.name }

func (d Dialect) dialect() *dialect {
	switch d {
	case Postgres:
		return postgresDialect()
	case SQLite:
		return sqliteDialect()
	}
	return nil
}

// same tells whether two names are of the same column.
func (d *dialect) same(a, b string) bool { return a == b || d.foldsCase && strings.EqualFold(a, b) }

// existing is a table that is there already.
type existing struct {
	columns []existingColumn
	unique  []string // the columns which alone tell the rows apart
}

type existingColumn struct {
	name, databaseType string
	required           bool // not null, and without a default
}

// SQLiteDSN returns the data source name of a SQLite file for the driver modernc.org/sqlite, so that a run can read it and
// write it at the same time: in WAL mode, which the file keeps, a reader doesn't hinder the writer however long it takes. What
// is written meanwhile stands in the file with -wal at its end, until the reader has ended. A statement waits for others for
// up to 10 seconds. The file is created where there is none.
func SQLiteDSN(path string) string {
	query := url.Values{"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)"}}
	file := url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath(), RawQuery: query.Encode()}
	return file.String()
}
