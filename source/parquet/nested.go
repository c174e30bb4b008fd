package parquet

import (
	"encoding/json"
	"errors"
	"math"

	"github.com/gluepipe/gluepipe/stages/batch"
)

var errLevels = errors.New("the file is damaged: the parts of a nested value don't fit together")

// cell is a value of a leaf in a row, and where in a nested value it belongs.
type cell struct {
	repeats int // the level of the list that it goes on; 0 for the first of a row
	defined int // down to which level of nesting there is something
	value   any
}

// value puts together the value of a column from those of its leaves: nil, what the leaf holds, or the JSON of what nests.
func (c *column) value(leaves [][]cell) (any, error) {
	there, err := c.there(leaves)
	if err != nil {
		return nil, err
	}
	switch {
	case c.repeated:
		return c.items(leaves, c.single)
	case !there:
		return nil, nil
	case c.Type == batch.VectorColumn:
		return c.vector(leaves[0])
	}
	return c.single(leaves)
}

// there tells whether the column holds something, as far as its leaves know.
func (c *column) there(leaves [][]cell) (bool, error) {
	for _, leaf := range leaves {
		if len(leaf) == 0 {
			return false, errLevels
		}
	}
	return leaves[0][0].defined >= c.defined, nil
}

// single is value for a column that is there, and for one of those that repeat.
func (c *column) single(leaves [][]cell) (any, error) {
	switch c.shape {
	case object:
		values := make([]any, len(c.children))
		for i, child := range c.children {
			var err error
			if values[i], err = child.value(child.of(c, leaves)); err != nil {
				return nil, err
			}
		}
		columns := make([]batch.Column, len(c.children))
		for i, child := range c.children {
			columns[i] = child.Column
		}
		return rawJSON(batch.Row{Columns: columns, Values: values})
	case list:
		entry, item := c.children[0], c.item()
		if item == entry {
			return entry.items(leaves, entry.single)
		}
		return entry.items(leaves, item.value)
	case mapping:
		return c.pairs(leaves)
	}
	if len(leaves[0]) != 1 {
		return nil, errLevels
	}
	return leaves[0][0].value, nil
}

// of returns the leaves of a child among those of its parent.
func (c *column) of(parent *column, leaves [][]cell) [][]cell {
	at := c.first - parent.first
	return leaves[at : at+c.leaves]
}

// items returns a JSON list of what repeats.
func (c *column) items(leaves [][]cell, value func([][]cell) (any, error)) (any, error) {
	out := []byte{'['}
	err := c.each(leaves, func(one [][]cell) error {
		v, err := value(one)
		if err != nil {
			return err
		}
		raw, err := batch.Cell(batch.JSONColumn, v)
		if err != nil {
			return err
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		if raw == nil {
			out = append(out, "null"...)
			return nil
		}
		out = append(out, raw.(json.RawMessage)...)
		return nil
	})
	return json.RawMessage(append(out, ']')), err
}

// pairs returns a JSON object of the entries of a map.
func (c *column) pairs(leaves [][]cell) (any, error) {
	var row batch.Row
	entry := c.children[0]
	key, val := entry.children[0], entry.children[1]
	err := entry.each(leaves, func(one [][]cell) error {
		name, err := key.value(key.of(entry, one))
		if err != nil {
			return err
		}
		text, err := batch.Cell(batch.TextColumn, name)
		if err != nil {
			return err
		}
		if text == nil {
			text = "null"
		}
		v, err := val.value(val.of(entry, one))
		row.Columns = append(row.Columns, batch.Column{Name: text.(string), Type: val.Type})
		row.Values = append(row.Values, v)
		return err
	})
	if err != nil {
		return nil, err
	}
	return rawJSON(row)
}

// each calls yield with the leaves of each one of what repeats. All of them have to begin at the same places.
func (c *column) each(leaves [][]cell, yield func([][]cell) error) error {
	there, err := c.there(leaves)
	if err != nil || !there {
		return err
	}
	rest, one := make([][]cell, len(leaves)), make([][]cell, len(leaves))
	copy(rest, leaves)
	for len(rest[0]) > 0 {
		for i, leaf := range rest {
			if len(leaf) == 0 {
				return errLevels
			}
			n := 1
			for n < len(leaf) && leaf[n].repeats > c.level {
				n++
			}
			one[i], rest[i] = leaf[:n], leaf[n:]
		}
		if err := yield(one); err != nil {
			return err
		}
	}
	for _, leaf := range rest {
		if len(leaf) > 0 {
			return errLevels
		}
	}
	return nil
}

// vector returns a list of float32 values. A null among them is no number.
func (c *column) vector(leaf []cell) (any, error) {
	v := make([]float32, 0, len(leaf))
	if leaf[0].defined < c.children[0].defined {
		return v, nil
	}
	for _, one := range leaf {
		switch n := one.value.(type) {
		case nil:
			v = append(v, float32(math.NaN()))
		case float64:
			v = append(v, float32(n))
		default:
			return nil, errLevels
		}
	}
	return v, nil
}

func rawJSON(row batch.Row) (any, error) {
	raw, err := row.MarshalJSON()
	return json.RawMessage(raw), err
}
