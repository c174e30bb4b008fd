package sqldb

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"

	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// Reader reads the rows of a query, one at a time; see [Query]. It is a [source.RowReader].
type Reader struct {
	rows    *sql.Rows
	cancel  context.CancelFunc // of the query
	columns []batch.Column
	types   []string // of the columns, as the database names them
	values  []any    // of the row that is being read
	scan    []any    // pointers to them
	number  int
	closed  atomic.Bool
	end     error // what Next returns from now on, once there is nothing more to read
}

// Querier runs queries: a [*sql.DB], [*sql.Conn] or [*sql.Tx].
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Query runs a query that returns rows, and waits for the first of them. args are the values of its placeholders. Columns
// without a name are refused, and so are two of the same name: "AS" gives them names.
//
// Rows come as they are read, so that memory doesn't grow with the result. A connection of db is taken until the reader is at
// its end or closed: for hours, if the run takes hours, and a database keeps old versions of rows meanwhile. ctx is for all of
// that time. The query sees the table as it was when it began. Where the connection is lost, the run ends with an error, and
// a later run reads the rows again: an order doesn't matter for that, but an id column does.
//
// What the query says is done, even where it changes something: for queries of somebody else's, db is a read-only transaction,
// or a SQLite file opened by [SQLiteDSN].
//
// The caller closes the reader, usually by handing it to [source.Rows], and db after it.
func Query(ctx context.Context, db Querier, query string, args ...any) (*Reader, error) {
	ctx, cancel := context.WithCancel(ctx)
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("query: %w", err)
	}
	r := &Reader{rows: rows, cancel: cancel}
	if err := r.describe(); err != nil {
		_ = r.Close()
		return nil, fmt.Errorf("query: %w", err)
	}
	return r, nil
}

// describe learns what the columns are.
func (r *Reader) describe() error {
	types, err := r.rows.ColumnTypes()
	if err != nil {
		return err
	}
	if len(types) == 0 {
		return r.notRows()
	}
	seen := make(map[string]bool)
	for i, t := range types {
		name := t.Name()
		switch {
		case name == "" || name == "?column?": // as Postgres calls it
			return fmt.Errorf("column %d has no name: give it one with AS", i+1)
		case seen[name]:
			return fmt.Errorf("there are two columns %q: rename one with AS", name)
		}
		seen[name] = true
		r.columns = append(r.columns, batch.Column{Name: name, Type: columnType(t)})
		r.types = append(r.types, typeName(t))
	}
	r.values, r.scan = make([]any, len(types)), make([]any, len(types))
	for i := range r.values {
		r.scan[i] = &r.values[i]
	}
	return nil
}

// notRows says why there are no columns: what the database didn't do comes before what it doesn't return.
func (r *Reader) notRows() error {
	r.rows.Next()
	if err := r.rows.Err(); err != nil {
		return err
	}
	return errors.New("it returns no rows: want a SELECT")
}

// Columns returns the query's columns.
func (r *Reader) Columns() []batch.Column { return r.columns }

// Next returns the next row. It blocks while the database works. Where ctx ends meanwhile, the query is cancelled as soon
// as the driver can, and nothing more comes: Postgres at once, SQLite with the next row.
func (r *Reader) Next(ctx context.Context) (source.TableRow, error) {
	if r.end != nil {
		return source.TableRow{}, r.end
	}
	if err := ctx.Err(); err != nil {
		return source.TableRow{}, err
	}
	stop := context.AfterFunc(ctx, r.cancel)
	more := r.rows.Next()
	cancelled := !stop()
	if !more {
		r.end = r.ended(ctx, cancelled)
		r.cancel()
		return source.TableRow{}, r.end
	}
	r.number++
	if err := r.rows.Scan(r.scan...); err != nil {
		return source.TableRow{}, r.bad(err)
	}
	return r.row()
}

// ended says why there are no more rows.
func (r *Reader) ended(ctx context.Context, cancelled bool) error {
	switch err := r.rows.Err(); {
	case cancelled:
		return ctx.Err()
	case r.closed.Load():
		return errors.New("query: it is closed")
	case err != nil:
		return fmt.Errorf("query: row %d: %w", r.number+1, err)
	}
	return io.EOF
}

func (r *Reader) row() (source.TableRow, error) {
	values := make([]any, len(r.values))
	for i, column := range r.columns {
		value, err := cell(column.Type, r.types[i], r.values[i])
		if err != nil {
			kind := cmp.Or(strings.ToLower(r.types[i]), column.Type.String())
			return source.TableRow{}, r.bad(fmt.Errorf("column %q is of type %s: %w; CAST it in the query", column.Name, kind, err))
		}
		values[i] = value
	}
	row := &batch.Row{Columns: r.columns, Values: values}
	return source.TableRow{Row: row, Number: r.number, Unit: "row"}, nil
}

// bad returns the error of a row that can't be read. Its bytes are the JSON of what the driver gave.
func (r *Reader) bad(err error) error {
	raw, _ := batch.Row{Columns: r.columns, Values: r.values}.MarshalJSON()
	return &source.RowError{Number: r.number, Unit: "row", Raw: raw, Err: err}
}

// Close cancels what is left of the query, and gives the connection back to the database's pool, which is the caller's. It
// waits for a Next that blocks until the driver has noticed.
func (r *Reader) Close() error {
	r.closed.Store(true)
	r.cancel()
	_ = r.rows.Close() // what it reports is that the query was cancelled
	return nil
}
