package sqldb

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"strings"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// maxRows is how many rows one statement writes at most; it is a power of two, as all numbers of rows are, so that few
// statements are prepared.
const maxRows = 64

// Write commits the results in one transaction. A row that has an id of theirs is replaced. Where some can't be stored at all,
// the others are, and the error is a [*sink.PartialError]. It blocks while the database does, and while a lost connection is
// waited for.
func (o *Output) Write(ctx context.Context, results []*batch.Result) error {
	if err := ctx.Err(); err != nil || len(results) == 0 {
		return err
	}
	if o.closed {
		return o.failed(errors.New("it is closed"))
	}
	results = lastOfEach(results)
	err := o.retry(ctx, func() error { return o.writeAll(ctx, results) })
	if err == nil {
		o.inARow = 0
		return nil
	}
	if !refusal(err) {
		return o.failed(err)
	}
	return o.writeEach(ctx, results)
}

// lastOfEach leaves out results that one of the same id follows, since a statement can't write a row twice.
func lastOfEach(results []*batch.Result) []*batch.Result {
	last := make(map[string]int, len(results))
	for i, r := range results {
		last[r.ID] = i
	}
	if len(last) == len(results) {
		return results
	}
	kept := make([]*batch.Result, 0, len(last))
	for i, r := range results {
		if last[r.ID] == i {
			kept = append(kept, r)
		}
	}
	return kept
}

// writeAll commits results as they are, or none of them.
func (o *Output) writeAll(ctx context.Context, results []*batch.Result) error {
	if err := o.begin(ctx); err != nil {
		return err
	}
	for len(results) > 0 {
		count := min(maxRows, o.dialect.maxParameters/len(o.columns), len(results))
		count = max(1, 1<<(bits.Len(uint(count))-1))
		if err := o.upsert(ctx, results[:count]); err != nil {
			return err
		}
		results = results[count:]
	}
	return o.session.exec(ctx, "COMMIT")
}

func (o *Output) begin(ctx context.Context) error {
	if err := o.connect(ctx); err != nil {
		return err
	}
	return o.session.exec(ctx, o.dialect.begin)
}

// upsert writes results by one statement.
func (o *Output) upsert(ctx context.Context, results []*batch.Result) error {
	parameters := make([]any, 0, len(results)*len(o.columns))
	for _, r := range results {
		from := len(parameters)
		var err error
		if parameters, err = o.table.AppendValues(parameters, r); err != nil {
			return &valueError{err}
		}
		for i, value := range parameters[from:] {
			parameters[from+i] = o.dialect.parameter(o.columns[i], value)
		}
	}
	statement := o.session.prepared[len(results)]
	if statement == nil {
		var err error
		if statement, err = o.session.conn.PrepareContext(ctx, o.upsertSQL(len(results))); err != nil {
			return err
		}
		o.session.prepared[len(results)] = statement
	}
	_, err := statement.ExecContext(ctx, parameters...)
	return err
}

// upsertSQL returns the statement that writes so many rows.
func (o *Output) upsertSQL(rows int) string {
	names, updates := make([]string, len(o.columns)), make([]string, 0, len(o.columns))
	for i, c := range o.columns {
		names[i] = quote(c.Name)
		if c.Name != o.table.ID() {
			updates = append(updates, names[i]+" = excluded."+names[i])
		}
	}
	var sql strings.Builder
	fmt.Fprintf(&sql, "INSERT INTO %s (%s) VALUES ", o.name.sql(), strings.Join(names, ", "))
	for i := range rows * len(o.columns) {
		switch {
		case i == 0:
			sql.WriteString("(")
		case i%len(o.columns) == 0:
			sql.WriteString("), (")
		default:
			sql.WriteString(", ")
		}
		sql.WriteString(o.dialect.placeholder(i + 1))
	}
	fmt.Fprintf(&sql, ") ON CONFLICT (%s) DO UPDATE SET %s", quote(o.table.ID()), strings.Join(updates, ", "))
	return sql.String()
}
