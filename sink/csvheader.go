package sink

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// readHeader reads the names of the columns, which are to be those of the table, if there is one.
func (r *csvReader) readHeader(row []byte) error {
	text := row
	if !r.rows.whole {
		text = bytes.TrimRight(row, "\x00") // see readLast
		r.done = true
		if r.format.isTornHeader(text) {
			r.ending.torn = int64(len(row))
			return nil
		}
	}
	r.ending = ending{offset: int64(len(text)), torn: int64(len(row) - len(text)), bare: !r.rows.whole}
	fields, err := r.fields.split(bytes.TrimPrefix(trimLineEnd(text), []byte("\uFEFF")))
	if err != nil {
		return r.foreign(err)
	}
	names := make([]string, len(fields))
	for i, field := range fields {
		names[i] = string(field)
	}
	if table := r.format.table; table != nil {
		if err := checkColumns(r.path, names, table); err != nil {
			return err
		}
	}
	r.width, r.places = len(names), recordPlaces(names)
	if r.places[0] < 0 || r.places[1] < 0 {
		return r.foreign(errors.New("there are no columns id and success"))
	}
	return nil
}

// isTornHeader tells whether a header broke off when it was written.
func (f *csvFormat) isTornHeader(text []byte) bool {
	return len(text)+1 < len(f.head) && bytes.HasPrefix(f.head, text)
}

// recordPlaces returns where recordColumns are among the names. Our own columns have prefixes where a column before them has
// their name already, so that the last column that can be the one is.
func recordPlaces(names []string) []int {
	places := make([]int, len(recordColumns))
	for i, own := range recordColumns {
		places[i] = -1
		for at, name := range names {
			for strings.HasPrefix(name, ownPrefix) {
				name = strings.TrimPrefix(name, ownPrefix)
			}
			if name == own {
				places[i] = at
			}
		}
	}
	return places
}

// otherColumnsError says that a file has other columns than a run.
type otherColumnsError struct{ path, difference, there, here string }

func (e *otherColumnsError) Error() string {
	return fmt.Sprintf("%s has other columns than this run: %s; it has %s, this run has %s", e.path, e.difference, e.there, e.here)
}

// Is tells that what stands there aren't this run's results.
func (e *otherColumnsError) Is(target error) bool { return target == errNotARecord }

func checkColumns(path string, there []string, table *Table) error {
	var here []string
	for _, column := range table.columns {
		here = append(here, column.Name)
	}
	difference := ""
	for i := 0; i < len(there) && i < len(here) && difference == ""; i++ {
		if there[i] != here[i] {
			difference = fmt.Sprintf("column %d is %s there and %s here", i+1, quoteName(there[i]), quoteName(here[i]))
		}
	}
	switch {
	case difference != "":
	case len(there) == len(here):
		return nil
	default:
		difference = fmt.Sprintf("%d columns there and %d here", len(there), len(here))
	}
	return &otherColumnsError{path, difference, listNames(there), listNames(here)}
}

func listNames(names []string) string { return shorten(strings.Join(names, ","), 400) }

func quoteName(name string) string { return fmt.Sprintf("%q", shorten(name, 100)) }

// shorten cuts a text that may be anything.
func shorten(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "..."
}
