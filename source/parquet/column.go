package parquet

import (
	"fmt"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// shape is how the values of a column are put together from those of its leaves, which alone are stored.
type shape int

const (
	single  shape = iota // a leaf
	object               // a struct: a value of each child
	list                 // any number of what its child, which repeats, holds
	mapping              // likewise of pairs of a text and a value
)

// column is a column, or one within a column that nests.
type column struct {
	batch.Column
	shape    shape
	read     func(parquet.Value) (any, error) // of a leaf
	optional bool
	repeated bool
	defined  int // the definition level from which on it is there
	level    int // the repetition level at which another one of it begins, where it repeats
	first    int // the place of its first leaf
	leaves   int
	children []*column
}

// columnsOf returns the columns of a file, in its order.
func columnsOf(file *parquet.File) ([]*column, error) {
	var leaves []*format.SchemaElement
	for i := range file.Metadata().Schema {
		if element := &file.Metadata().Schema[i]; element.Type.Valid {
			leaves = append(leaves, element)
		}
	}
	columns := make([]*column, 0, len(file.Root().Columns()))
	names := make(map[string]bool)
	at := 0
	for _, c := range file.Root().Columns() {
		if names[c.Name()] {
			return nil, fmt.Errorf("it has two columns %q: rename one", c.Name())
		}
		names[c.Name()] = true
		built, err := newColumn(c, leaves, &at)
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", c.Name(), err)
		}
		columns = append(columns, built)
	}
	return columns, nil
}

// newColumn makes a column; at is the place of its first leaf, and then of the one behind its last.
func newColumn(c *parquet.Column, leaves []*format.SchemaElement, at *int) (*column, error) {
	built := &column{
		Column:   batch.Column{Name: c.Name(), Type: batch.JSONColumn},
		optional: c.Optional(), repeated: c.Repeated(),
		defined: c.MaxDefinitionLevel(), level: c.MaxRepetitionLevel(), first: *at,
	}
	if c.Leaf() {
		kind, read, err := leafOf(c.Type(), leaves[*at])
		if err != nil {
			return nil, err
		}
		if !built.repeated {
			built.Type = kind
		}
		built.read, built.leaves = read, 1
		*at++
		return built, nil
	}
	for _, child := range c.Columns() {
		member, err := newColumn(child, leaves, at)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", child.Name(), err)
		}
		built.children = append(built.children, member)
	}
	built.leaves = *at - built.first
	built.shape = shapeOf(c.Type(), built)
	if vector(c.Columns(), built) {
		built.Type = batch.VectorColumn
	}
	return built, nil
}

// shapeOf returns the shape of a group. Groups that say to be a list or a map and don't look like one are taken as they are.
func shapeOf(t parquet.Type, group *column) shape {
	annotation := t.LogicalType()
	if annotation == nil || len(group.children) != 1 || !group.children[0].repeated {
		return object
	}
	entries := group.children[0]
	switch annotation.Value.(type) {
	case *format.ListType:
		return list
	case *format.MapType:
		if entries.shape == object && len(entries.children) == 2 && entries.children[0].shape == single &&
			!entries.children[0].repeated {
			return mapping
		}
		return list
	}
	return object
}

// item returns what a list is a list of. Old writers leave out the level between the two.
// See https://github.com/apache/parquet-format/blob/master/LogicalTypes.md#backward-compatibility-rules.
func (c *column) item() *column {
	entry := c.children[0]
	if entry.shape != object || len(entry.children) != 1 || entry.Name == "array" || entry.Name == c.Name+"_tuple" {
		return entry
	}
	return entry.children[0]
}

// vector tells whether a column is a list of float32 values.
func vector(children []*parquet.Column, c *column) bool {
	if c.shape != list || c.repeated {
		return false
	}
	item := c.item()
	if item.shape != single || item.repeated && item != c.children[0] {
		return false
	}
	leaf := children[0]
	for !leaf.Leaf() {
		leaf = leaf.Columns()[0]
	}
	return leaf.Type().Kind() == parquet.Float
}
