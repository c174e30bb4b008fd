package sqldb

import (
	"errors"
	"fmt"
	"strings"
)

// name is the name of a table.
type name struct {
	given         string // as the user wrote it
	schema, table string // schema is empty where it isn't given
}

// parseName reads a table's name, which may have a schema before a dot.
func parseName(given string) (name, error) {
	schema, table, qualified := strings.Cut(given, ".")
	if !qualified {
		schema, table = "", given
	}
	if table == "" || qualified && schema == "" || strings.Contains(table, ".") {
		return name{}, fmt.Errorf("want the name of a table, such as results or out.results, got %q", given)
	}
	return name{given: given, schema: schema, table: table}, nil
}

// sql returns the name as it stands in a statement.
func (n name) sql() string {
	if n.schema == "" {
		return quote(n.table)
	}
	return quote(n.schema) + "." + quote(n.table)
}

// quote makes an identifier of any text.
func quote(identifier string) string {
	return `"` + strings.ReplaceAll(identifier, `"`, `""`) + `"`
}

// checkIdentifier refuses what a database would refuse, or cut off without saying so.
func (d *dialect) checkIdentifier(identifier string) error {
	switch {
	case identifier == "":
		return errors.New("a name is missing")
	case strings.ContainsRune(identifier, 0):
		return fmt.Errorf("the name %q has a zero byte", identifier)
	case d.maxIdentifier > 0 && len(identifier) > d.maxIdentifier:
		return fmt.Errorf("the name %q is longer than the %d bytes that %s keeps of one", identifier, d.maxIdentifier, d)
	}
	return nil
}
