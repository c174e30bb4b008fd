package sink

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// SchemaColumns returns the columns of answers that keep to a JSON schema: one for each property of the object that it
// describes, in the order in which it has them.
//
// Texts, whole numbers, numbers and booleans become columns of their type, also where they may be null. What the schema
// tells only by its enum or const is of the type of those values. A text with a format, date-time too, is a text: models
// don't always keep to it. Everything else (lists, objects, values of several types) is JSON. References are followed within
// the schema.
//
// It fails where the schema doesn't describe an object, or one without properties.
func SchemaColumns(schema json.RawMessage) ([]batch.Column, error) {
	document := schemaDocument(schema)
	var root schemaNode
	if err := json.Unmarshal(schema, &root); err != nil {
		return nil, fmt.Errorf("reading the schema: %w", err)
	}
	root = document.follow(root)
	if root.Type != nil && !slices.Contains(root.types(), "object") || root.Type == nil && root.Properties == nil {
		return nil, errors.New("a table needs a schema of an object: its properties become the columns")
	}
	var properties batch.Row // which keeps their order
	if root.Properties != nil {
		if err := json.Unmarshal(root.Properties, &properties); err != nil {
			return nil, fmt.Errorf("reading the schema's properties: %w", err)
		}
	}
	if len(properties.Columns) == 0 {
		return nil, errors.New("a table needs a schema with properties: they become the columns")
	}
	var columns []batch.Column
	for i, property := range properties.Columns {
		raw, _ := properties.Values[i].(json.RawMessage) // true says nothing of the type
		columns = append(columns, batch.Column{Name: property.Name, Type: document.columnType(raw)})
	}
	return columns, nil
}

// schemaNode is what tells the type of a value.
type schemaNode struct {
	Ref        string            `json:"$ref"`
	Type       json.RawMessage   `json:"type"` // a name or a list of names
	Enum       []json.RawMessage `json:"enum"`
	Const      json.RawMessage   `json:"const"`
	AnyOf      []json.RawMessage `json:"anyOf"`
	OneOf      []json.RawMessage `json:"oneOf"`
	AllOf      []json.RawMessage `json:"allOf"`
	Properties json.RawMessage   `json:"properties"`
}

// types returns the names of the types, null left out.
func (n *schemaNode) types() []string {
	var name string
	if json.Unmarshal(n.Type, &name) == nil {
		return notNull([]string{name})
	}
	var names []string
	_ = json.Unmarshal(n.Type, &names)
	return notNull(names)
}

func notNull(names []string) []string {
	return slices.DeleteFunc(names, func(name string) bool { return name == "null" })
}

// schemaDocument is a schema, which its references lead into.
type schemaDocument json.RawMessage

const (
	maxReferences   = 16 // in a chain, which may be a circle
	maxAlternatives = 4  // within alternatives
)

// follow returns the schema that a reference means.
func (d schemaDocument) follow(n schemaNode) schemaNode {
	for range maxReferences {
		pointer, ok := strings.CutPrefix(n.Ref, "#")
		if !ok {
			return n
		}
		raw := d.at(pointer)
		n = schemaNode{}
		if json.Unmarshal(raw, &n) != nil {
			return schemaNode{}
		}
	}
	return schemaNode{}
}

// at returns what a JSON pointer leads to, or nil.
func (d schemaDocument) at(pointer string) json.RawMessage {
	raw := json.RawMessage(d)
	if pointer == "" {
		return raw
	}
	if unescaped, err := url.PathUnescape(pointer); err == nil {
		pointer = unescaped
	}
	for name := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		var members map[string]json.RawMessage
		if json.Unmarshal(raw, &members) != nil {
			return nil
		}
		raw = members[strings.NewReplacer("~1", "/", "~0", "~").Replace(name)]
	}
	return raw
}

// columnType returns the type of the column for the values of a schema.
func (d schemaDocument) columnType(raw json.RawMessage) batch.ColumnType {
	return d.columnTypeWithin(raw, maxAlternatives)
}

func (d schemaDocument) columnTypeWithin(raw json.RawMessage, depth int) batch.ColumnType {
	var n schemaNode
	if depth == 0 || json.Unmarshal(raw, &n) != nil {
		return batch.JSONColumn
	}
	n = d.follow(n)
	switch {
	case n.Type != nil:
		return typeOfAll(n.types(), typeByName)
	case n.Const != nil:
		return typeOfValue(n.Const)
	case n.Enum != nil:
		return typeOfAll(slices.DeleteFunc(n.Enum, isNull), typeOfValue)
	}
	for _, alternatives := range [][]json.RawMessage{n.AnyOf, n.OneOf, n.AllOf} {
		if alternatives != nil {
			alternatives = slices.DeleteFunc(alternatives, isNullSchema)
			return typeOfAll(alternatives, func(raw json.RawMessage) batch.ColumnType {
				return d.columnTypeWithin(raw, depth-1)
			})
		}
	}
	return batch.JSONColumn
}

// typeOfAll returns the type that all have, or JSON.
func typeOfAll[T any](all []T, typeOf func(T) batch.ColumnType) batch.ColumnType {
	common := batch.JSONColumn
	for i, one := range all {
		t := typeOf(one)
		if t == batch.JSONColumn || i > 0 && t != common {
			return batch.JSONColumn
		}
		common = t
	}
	return common
}

func typeByName(name string) batch.ColumnType {
	switch name {
	case "string":
		return batch.TextColumn
	case "integer":
		return batch.IntColumn
	case "number":
		return batch.FloatColumn
	case "boolean":
		return batch.BoolColumn
	}
	return batch.JSONColumn
}

func typeOfValue(raw json.RawMessage) batch.ColumnType {
	var row batch.Row // which knows the types of JSON
	if json.Unmarshal(slices.Concat([]byte(`{"value":`), raw, []byte{'}'}), &row) != nil {
		return batch.JSONColumn
	}
	return row.Columns[0].Type
}

func isNull(raw json.RawMessage) bool { return string(raw) == "null" }

func isNullSchema(raw json.RawMessage) bool {
	var n schemaNode
	return json.Unmarshal(raw, &n) == nil && n.Type != nil && len(n.types()) == 0
}
