package sqldb

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// column is a column of results, as the table has it.
type column struct {
	batch.Column
	databaseType string
}

// prepareTable creates the table, or checks the one that is there.
func (o *Output) prepareTable(ctx context.Context) error {
	s := o.session
	found, err := o.dialect.describe(ctx, s, o.name)
	if err != nil {
		return err
	}
	if found == nil {
		createErr := s.exec(ctx, o.create())
		// Another run may have created it a moment before.
		if found, err = o.dialect.describe(ctx, s, o.name); err != nil || found == nil {
			if createErr != nil {
				err = fmt.Errorf("creating it: %w", createErr)
			}
			return err
		}
	}
	return o.check(found)
}

// create returns the statement that creates the table.
func (o *Output) create() string {
	lines := make([]string, len(o.columns))
	for i, c := range o.columns {
		lines[i] = quote(c.Name) + " " + o.dialect.types[c.Type]
		switch c.Name {
		case o.table.ID():
			lines[i] += " NOT NULL PRIMARY KEY"
		case o.table.Success():
			lines[i] += " NOT NULL"
		}
	}
	return "CREATE TABLE " + o.name.sql() + " (\n\t" + strings.Join(lines, ",\n\t") + "\n)"
}

// check compares the table with the columns that it must have, and learns their types.
func (o *Output) check(found *existing) error {
	for i := range o.columns {
		c := &o.columns[i]
		at := slices.IndexFunc(found.columns, func(f existingColumn) bool { return o.dialect.same(f.name, c.Name) })
		if at < 0 {
			return fmt.Errorf("it has no column %q, which results have: add it with type %s, choose another table, or drop this one",
				c.Name, o.dialect.types[c.Type])
		}
		c.databaseType = found.columns[at].databaseType
		if !o.dialect.fits(c.Type, c.databaseType) {
			return fmt.Errorf("its column %q is of type %s, which can't hold %s values: make it %s, choose another table, "+
				"or drop this one", c.Name, c.databaseType, c.Type, o.dialect.types[c.Type])
		}
	}
	for _, f := range found.columns {
		if f.required && !slices.ContainsFunc(o.columns, func(c column) bool { return o.dialect.same(f.name, c.Name) }) {
			return fmt.Errorf("its column %q takes no null and has no default, but results don't have it: give it a default, "+
				"or choose another table", f.name)
		}
	}
	id := o.table.ID()
	if !slices.ContainsFunc(found.unique, func(name string) bool { return o.dialect.same(name, id) }) {
		return fmt.Errorf("its column %q must tell the rows apart: CREATE UNIQUE INDEX ON %s (%s), or choose another table",
			id, o.name.sql(), quote(id))
	}
	return nil
}
