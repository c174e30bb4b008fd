package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// Options say which table results are written to. Dialect, Name and Table are required.
type Options struct {
	// Dialect is the kind of database that db leads to.
	Dialect Dialect
	// Name is the table's, with a schema before a dot where it has one: results, out.results. It is quoted, so that its case
	// counts in Postgres.
	Name string
	// Table says what the columns are.
	Table *sink.Table
	// Overwrite deletes all rows that are there, before Open returns.
	Overwrite bool
	// RerunFailed has the failed requests done again: their rows don't count as done, and stand until they are replaced. It
	// means nothing with Overwrite.
	RerunFailed bool
}

// Open opens a table for results, and creates it where there is none: typed columns, the id as the primary key. The caller
// closes it, usually by handing it to the engine, and db after it.
//
// A table that is there is continued. It must have the columns of Options.Table, in any order, of types that can hold them,
// and a primary key or unique index on the id alone. Columns beyond those are yours: they must have a default or take nulls,
// and keep their values when a row is replaced. Rows whose column success is null are no results yet: they are filled in when
// a result of their id comes. The rows are read once, in constant memory but for 16 bytes a row.
//
// One connection of db is taken until Close. A run that reads from the same db needs another one, so that
// [sql.DB.SetMaxOpenConns] must be 2 at least. It can't be had through a pooler in transaction mode.
//
// The table is locked until Close or the death of the process, so that a second run into it is refused. In Postgres that is
// an advisory lock, in SQLite a file beside the database's, which stays there. SQLite should be in WAL mode where the same
// file is read meanwhile; see [SQLiteDSN].
func Open(ctx context.Context, db *sql.DB, options Options) (*Output, error) {
	o, err := newOutput(db, &options)
	if err != nil {
		return nil, err
	}
	if err := o.open(ctx, &options); err != nil {
		o.drop()
		return nil, o.failed(err)
	}
	return o, nil
}

func newOutput(db *sql.DB, options *Options) (*Output, error) {
	o := &Output{db: db, dialect: options.Dialect.dialect(), table: options.Table}
	if o.dialect == nil {
		return nil, fmt.Errorf("options: Dialect: want Postgres or SQLite, got %s", options.Dialect)
	}
	if o.table == nil {
		return nil, errors.New("options: Table is missing: sink.NewTable makes one")
	}
	var err error
	if o.name, err = parseName(options.Name); err != nil {
		return nil, fmt.Errorf("options: Name: %w", err)
	}
	for _, c := range o.table.Columns() {
		o.columns = append(o.columns, column{Column: c})
	}
	return o, o.checkIdentifiers()
}

func (o *Output) checkIdentifiers() error {
	identifiers := []string{o.name.table}
	if o.name.schema != "" {
		identifiers = append(identifiers, o.name.schema)
	}
	for _, c := range o.columns {
		identifiers = append(identifiers, c.Name)
	}
	for _, identifier := range identifiers {
		if err := o.dialect.checkIdentifier(identifier); err != nil {
			return o.failed(err)
		}
	}
	return nil
}

func (o *Output) open(ctx context.Context, options *Options) error {
	var err error
	if o.session, err = newSession(ctx, o.db); err != nil {
		return err
	}
	if err := o.prepareTable(ctx); err != nil {
		return err
	}
	if err := o.dialect.lock(ctx, o.session, o.name); err != nil {
		return err
	}
	if options.Overwrite {
		if err := o.session.exec(ctx, "DELETE FROM "+o.name.sql()); err != nil {
			return fmt.Errorf("deleting its rows: %w", err)
		}
	}
	return o.readRecords(ctx, options.RerunFailed)
}

// readRecords learns what earlier runs have done.
func (o *Output) readRecords(ctx context.Context, rerunFailed bool) error {
	columns := o.table.RecordColumns()
	values, scan := make([]any, len(columns)), make([]any, len(columns))
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i], scan[i] = quote(c.Name), &values[i]
	}
	query := "SELECT " + strings.Join(names, ", ") + " FROM " + o.name.sql() +
		" WHERE " + quote(o.table.Success()) + " IS NOT NULL"
	var err error
	o.records, err = sink.CollectRecords(o.name.given, func(yield func(*batch.Result, error) bool) {
		err := o.session.each(ctx, query, func(rows *sql.Rows) error {
			if err := rows.Scan(scan...); err != nil {
				return err
			}
			for i := range values {
				values[i] = plain(columns[i].Type, values[i])
			}
			r, err := sink.ReadRecord(values)
			switch {
			case err != nil:
				return fmt.Errorf("row of id %v: %w; it isn't of a run: choose another table, or overwrite this one", values[0], err)
			case rerunFailed && !r.Success:
				o.recovery.RemovedFailed++
			case !yield(r, nil):
				return errors.New("stopped") // nobody reads on
			}
			return nil
		})
		if err != nil {
			yield(nil, err)
		}
	})
	return err
}

// plain makes of what a driver gives what a cell takes.
func plain(t batch.ColumnType, value any) any {
	switch v := value.(type) {
	case []byte:
		return string(v)
	case int64:
		if t == batch.BoolColumn {
			return v != 0
		}
	}
	return value
}

func (o *Output) selectOne() string {
	return fmt.Sprintf("SELECT %s, %s FROM %s WHERE %s = %s", quote(o.table.Fingerprint()), quote(o.table.Success()),
		o.name.sql(), quote(o.table.ID()), o.dialect.placeholder(1))
}

// failed says at which table an error happened.
func (o *Output) failed(err error) error { return fmt.Errorf("table %s: %w", o.name.given, err) }
