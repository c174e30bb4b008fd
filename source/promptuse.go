package source

import (
	"errors"
	"fmt"
	"slices"
	"text/template/parse"
)

// printFunction is the function that every value goes through before it is printed. No template can name it: it comes when
// the template is parsed.
const printFunction = "_print"

// promptUse says what a template uses of its row.
type promptUse struct {
	columns []string // in order of appearance
	any     bool     // and maybe others: it uses the row as a whole
}

// preparePrompt finds what a template uses, and readies it: what is printed goes through printFunction, and each turn of a
// loop prints something, if only an empty text, so that the writer can count them.
func preparePrompt(root *parse.ListNode) (promptUse, error) {
	w := &promptWalker{vars: []promptVar{{name: "$", row: true}}}
	w.list(root, true)
	return w.use, w.err
}

// promptWalker walks through a template as its execution would. Wherever an expression has a value, it tells whether that
// is the row.
type promptWalker struct {
	use  promptUse
	vars []promptVar
	err  error // the first
}

type promptVar struct {
	name string
	row  bool
}

// list walks through nodes; row tells whether the dot is the row there.
func (w *promptWalker) list(l *parse.ListNode, row bool) {
	if l == nil {
		return
	}
	for _, node := range l.Nodes {
		switch n := node.(type) {
		case *parse.ActionNode:
			value := w.pipe(n.Pipe, row)
			if len(n.Pipe.Decl) == 0 {
				w.takes(value)
				n.Pipe.Cmds = append(n.Pipe.Cmds, &parse.CommandNode{
					NodeType: parse.NodeCommand, Pos: n.Pos,
					Args: []parse.Node{parse.NewIdentifier(printFunction).SetPos(n.Pos)},
				})
			}
		case *parse.IfNode:
			w.branch(&n.BranchNode, func(bool) bool { return row }, row)
		case *parse.WithNode:
			w.branch(&n.BranchNode, func(value bool) bool { return value }, row)
		case *parse.RangeNode:
			w.branch(&n.BranchNode, func(value bool) bool { w.takes(value); return false }, row)
			turn := &parse.TextNode{NodeType: parse.NodeText, Pos: n.Pos}
			n.List.Nodes = slices.Insert(n.List.Nodes, 0, parse.Node(turn))
		case *parse.TemplateNode:
			w.fail(n.Line, "{{template}} and {{block}} are not for prompts")
		}
	}
}

// branch walks through an if, with or range; dot tells whether the dot is the row in its list, given whether the value of its
// pipeline is.
func (w *promptWalker) branch(n *parse.BranchNode, dot func(value bool) bool, row bool) {
	vars := len(w.vars)
	inside := dot(w.pipe(n.Pipe, row))
	if n.NodeType == parse.NodeRange {
		for i := range w.vars[vars:] {
			w.vars[vars+i].row = false // elements of what the pipeline gives
		}
	}
	w.list(n.List, inside)
	w.list(n.ElseList, row)
	w.vars = w.vars[:vars]
}

func (w *promptWalker) pipe(p *parse.PipeNode, row bool) bool {
	value := false
	for _, command := range p.Cmds {
		w.takes(value) // piped on
		value = w.command(command, row)
	}
	for _, variable := range p.Decl {
		name := variable.Ident[0]
		if !p.IsAssign {
			w.vars = append(w.vars, promptVar{name, value})
		} else if v := w.variable(name); v != nil && (v.row || value) {
			// What it is behind this depends on the way that was taken.
			w.use.any, v.row = true, false
		}
	}
	return value
}

func (w *promptWalker) command(c *parse.CommandNode, row bool) bool {
	if len(c.Args) == 1 {
		return w.operand(c.Args[0], row)
	}
	function, _ := c.Args[0].(*parse.IdentifierNode)
	for i, arg := range c.Args {
		value := w.operand(arg, row)
		if value && i == 1 && function != nil && function.Ident == "index" && len(c.Args) > 2 {
			if name, ok := c.Args[2].(*parse.StringNode); ok {
				w.column(name.Text)
				continue
			}
		}
		w.takes(value)
	}
	return false
}

func (w *promptWalker) operand(node parse.Node, row bool) bool {
	switch n := node.(type) {
	case *parse.DotNode:
		return row
	case *parse.FieldNode:
		if row {
			w.column(n.Ident[0])
		}
	case *parse.VariableNode:
		v := w.variable(n.Ident[0])
		switch {
		case v == nil || !v.row:
		case len(n.Ident) == 1:
			return true
		default:
			w.column(n.Ident[1])
		}
	case *parse.ChainNode:
		if w.operand(n.Node, row) {
			w.column(n.Field[0])
		}
	case *parse.PipeNode:
		return w.pipe(n, row)
	case *parse.IdentifierNode:
		if slices.Contains([]string{"call", "html", "js", "urlquery"}, n.Ident) {
			w.fail(0, fmt.Sprintf("function %q is not for prompts", n.Ident))
		}
	}
	return false
}

func (w *promptWalker) variable(name string) *promptVar {
	for i := range slices.Backward(w.vars) {
		if w.vars[i].name == name {
			return &w.vars[i]
		}
	}
	return nil
}

func (w *promptWalker) column(name string) {
	if !slices.Contains(w.use.columns, name) {
		w.use.columns = append(w.use.columns, name)
	}
}

// takes notes a use of a value other than for its columns.
func (w *promptWalker) takes(row bool) { w.use.any = w.use.any || row }

func (w *promptWalker) fail(line int, what string) {
	if w.err == nil && line > 0 {
		w.err = fmt.Errorf("line %d: %s", line, what)
	} else if w.err == nil {
		w.err = errors.New(what)
	}
}
