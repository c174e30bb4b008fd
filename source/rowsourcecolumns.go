package source

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// ColumnError is an option of [RowOptions] that doesn't fit the table's columns.
type ColumnError struct {
	Option  string   // the field of RowOptions, such as IDColumn
	Column  string   // the column it names that isn't there; "" where the option is missing
	Columns []string // those that are there
}

// Error names the option and the columns: prompt: no column "reviw": the columns are id, review, stars.
func (e *ColumnError) Error() string {
	if e.Column == "" {
		return fmt.Sprintf("RowOptions.%s is missing: %s", e.Option, listColumns(e.Columns))
	}
	return fmt.Sprintf("%s: no column %q: %s", inWords(e.Option), e.Column, listColumns(e.Columns))
}

func noColumn(option, column string, columns []batch.Column) error {
	return &ColumnError{Option: option, Column: column, Columns: columnNames(columns)}
}

func inWords(option string) string {
	switch option {
	case "Prompt":
		return "prompt"
	case "SystemPrompt":
		return "system prompt"
	case "IDColumn":
		return "id column"
	case "MetadataColumns":
		return "metadata columns"
	case "ImageColumn":
		return "image column"
	case "EmbedColumn":
		return "embed column"
	}
	return option
}

func listColumns(names []string) string {
	const enough = 50
	names = slices.Clone(names)
	for i, name := range names { // what isn't the table that it is taken for may have names of any length
		names[i] = shortened(name)
	}
	switch {
	case len(names) == 0:
		return "there are no columns"
	case len(names) == 1:
		return "the only column is " + names[0]
	case len(names) > enough:
		return fmt.Sprintf("the columns are %s and %d more", strings.Join(names[:enough], ", "), len(names)-enough)
	}
	return "the columns are " + strings.Join(names, ", ")
}

func columnNames(columns []batch.Column) []string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	return names
}

func hasColumn(columns []batch.Column, name string) bool { return columnIndex(columns, name) >= 0 }

func columnIndex(columns []batch.Column, name string) int {
	return slices.IndexFunc(columns, func(c batch.Column) bool { return c.Name == name })
}

// checkColumns returns an error where an option names a column that isn't there.
func (o *RowOptions) checkColumns(columns []batch.Column) error {
	for _, named := range []struct {
		option string
		names  []string
	}{
		{"IDColumn", []string{o.IDColumn}},
		{"MetadataColumns", o.MetadataColumns},
		{"ImageColumn", []string{o.ImageColumn}},
		{"EmbedColumn", []string{o.EmbedColumn}},
	} {
		for _, name := range named.names {
			if name != "" && !hasColumn(columns, name) {
				return noColumn(named.option, name, columns)
			}
		}
	}
	return nil
}
