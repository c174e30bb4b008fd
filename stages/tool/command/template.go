package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/template/parse"
)

// fields are the properties that arguments may name, each with whether the model must give it.
type fields map[string]bool

func readFields(schema json.RawMessage) (fields, error) {
	var s struct {
		Properties map[string]json.RawMessage `json:"properties"`
		Required   []string                   `json:"required"`
	}
	if err := json.Unmarshal(schema, &s); err != nil {
		return nil, fmt.Errorf("reading the schema of the arguments: %w", err)
	}
	f := make(fields, len(s.Properties))
	for name := range s.Properties {
		f[name] = slices.Contains(s.Required, name)
	}
	return f, nil
}

func (f fields) names() string {
	if len(f) == 0 {
		return "the tool has no parameters"
	}
	return "the parameters are: " + strings.Join(slices.Sorted(maps.Keys(f)), ", ")
}

// argument is one argument of a program, in pieces.
type argument struct {
	pieces   []piece
	optional bool // it has fields, and none that the model must give
}

// piece is a text as it is, or, where field is set, a field's value.
type piece struct {
	text, field string
}

func (a *argument) templated() bool {
	return slices.ContainsFunc(a.pieces, func(p piece) bool { return p.field != "" })
}

// beginsWithDash tells an argument that its author made an option.
func (a *argument) beginsWithDash() bool {
	return len(a.pieces) > 0 && strings.HasPrefix(a.pieces[0].text, "-")
}

// parseArgument reads an argument with the syntax of text/template, of which it takes texts and {{.field}} alone: more would
// let a value decide what is run.
func parseArgument(text string, known fields) (argument, error) {
	tree, err := parse.New("argument").Parse(text, "", "", map[string]*parse.Tree{})
	if err != nil {
		return argument{}, errors.New(strings.TrimPrefix(err.Error(), "template: argument:1: "))
	}
	a := argument{optional: true}
	for _, node := range tree.Root.Nodes {
		if text, ok := node.(*parse.TextNode); ok {
			a.pieces = append(a.pieces, piece{text: string(text.Text)})
			continue
		}
		name, ok := fieldOf(node)
		if !ok {
			return argument{}, fmt.Errorf("%s is not {{.field}}, which is all that an argument may hold", node)
		}
		required, ok := known[name]
		if !ok {
			return argument{}, fmt.Errorf("no parameter %q; %s", name, known.names())
		}
		a.optional = a.optional && !required
		a.pieces = append(a.pieces, piece{field: name})
	}
	a.optional = a.optional && a.templated()
	return a, nil
}

// fieldOf returns the field of {{.field}}.
func fieldOf(node parse.Node) (string, bool) {
	action, ok := node.(*parse.ActionNode)
	if !ok || len(action.Pipe.Decl) > 0 || len(action.Pipe.Cmds) != 1 || len(action.Pipe.Cmds[0].Args) != 1 {
		return "", false
	}
	field, ok := action.Pipe.Cmds[0].Args[0].(*parse.FieldNode)
	if !ok || len(field.Ident) != 1 {
		return "", false
	}
	return field.Ident[0], true
}
