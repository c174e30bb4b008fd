package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"text/template"

	"github.com/gluepipe/gluepipe/stages/batch"
)

const (
	maxPromptBytes = 16 << 20
	maxPromptTurns = 250_000
)

var (
	errLongPrompt = errors.New("it prints more than 16 MiB")
	errManyTurns  = errors.New("its loops take more than 250,000 turns")
)

// PromptColumns returns the names of the columns that a prompt's template uses (see [RowOptions]), so that a reader can leave
// out the others. It returns nil where the prompt may use any, as {{json .}} does, and an empty list where it uses none.
func PromptColumns(template string) ([]string, error) {
	p, err := newPrompt("Prompt", template)
	if err != nil || p.uses.any {
		return nil, err
	}
	return append([]string{}, p.uses.columns...), nil
}

// prompt is a template over the columns of a row. It is used from one goroutine.
type prompt struct {
	option   string // the field of RowOptions that has it
	template *template.Template
	uses     promptUse
	row      *batch.Row     // the one that is being rendered
	fields   map[string]any // its values, of the columns that the template uses
	out      promptWriter
}

// newPrompt makes a prompt of the template in an option.
func newPrompt(option, text string) (*prompt, error) {
	p := &prompt{option: option, fields: make(map[string]any)}
	parsed, err := template.New("prompt").Option("missingkey=error").Funcs(p.functions()).Parse(text)
	if err != nil {
		return nil, p.parseError(err)
	}
	if p.uses, err = preparePrompt(parsed.Root); err != nil {
		return nil, p.parseError(err)
	}
	p.template = parsed.Funcs(template.FuncMap{printFunction: p.text})
	return p, nil
}

// checkColumns returns an error where the template names a column that isn't there. p may be nil.
func (p *prompt) checkColumns(columns []batch.Column) error {
	if p == nil {
		return nil
	}
	for _, name := range p.uses.columns {
		if !hasColumn(columns, name) {
			return noColumn(p.option, name, columns)
		}
	}
	return nil
}

// render returns what the template makes of a row. Its errors begin with the option.
func (p *prompt) render(row *batch.Row) (string, error) {
	p.row = row
	clear(p.fields)
	p.out.Reset()
	for i := len(row.Columns) - 1; i >= 0; i-- { // backwards: of columns of one name, the first counts as in Row.Value
		name := row.Columns[i].Name
		if !p.uses.any && !slices.Contains(p.uses.columns, name) {
			continue
		}
		value, err := templateValue(row.Values[i])
		if err != nil {
			return "", p.error("column %q: %w", name, err)
		}
		p.fields[name] = value
	}
	if len(p.fields) == 0 && len(row.Columns) > 0 {
		p.fields[""] = nil // {{if .}}: a row isn't empty because a template uses none of its columns
	}
	if err := p.template.Execute(&p.out, p.fields); err != nil {
		return "", p.executeError(err)
	}
	return p.out.String(), nil
}

// text returns a value as the prompt shows it.
func (p *prompt) text(value any) (string, error) {
	if raw := p.asWritten(value); raw != nil {
		return string(raw), nil
	}
	return valueText(value)
}

// json returns a value as JSON.
func (p *prompt) json(value any) (string, error) {
	raw := p.asWritten(value)
	if raw == nil {
		cell, err := batch.Cell(batch.JSONColumn, value)
		if err != nil || cell == nil {
			return "null", err
		}
		raw = cell.(json.RawMessage)
	}
	return bounded(string(raw))
}

// asWritten returns the JSON of the row, or of a list or an object that is one of its cells, as it stands there: a map has
// lost the order of its members. It returns nil for other values.
func (p *prompt) asWritten(value any) json.RawMessage {
	switch value.(type) {
	case []any, map[string]any:
	default:
		return nil
	}
	if same(value, p.fields) {
		raw, err := p.row.MarshalJSON()
		if err != nil {
			return nil
		}
		return raw
	}
	for i, column := range p.row.Columns {
		if raw, ok := p.row.Values[i].(json.RawMessage); ok && same(value, p.fields[column.Name]) {
			return raw
		}
	}
	return nil
}

// same tells whether two lists or objects are one.
func same(a, b any) bool {
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	return x.Kind() == y.Kind() && x.UnsafePointer() == y.UnsafePointer() && x.Len() == y.Len()
}

// promptWriter keeps what a template prints, and ends one that has no end.
type promptWriter struct {
	bytes.Buffer
	turns int
}

func (w *promptWriter) Reset() {
	w.Buffer.Reset()
	w.turns = 0
}

func (w *promptWriter) Write(text []byte) (int, error) {
	if len(text) == 0 { // a turn of a loop prints at least this, see preparePrompt
		w.turns++
	}
	switch {
	case w.turns > maxPromptTurns:
		return 0, errManyTurns
	case w.Len()+len(text) > maxPromptBytes:
		return 0, errLongPrompt
	}
	return w.Buffer.Write(text)
}
