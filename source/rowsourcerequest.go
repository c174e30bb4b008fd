package source

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// requestMaker makes requests of rows. It is used from one goroutine.
type requestMaker struct {
	options RowOptions
	prompt  *prompt // nil for embeddings, and before the first row has decided
	system  *prompt // nil where there is none
	// named says that the table's columns are called what a request's fields are: its id and model count where they aren't
	// empty.
	named  bool
	images *imageReader
}

// newRequestMaker makes one for a table of the given columns, nil where they aren't known.
func newRequestMaker(columns []batch.Column, options RowOptions) (*requestMaker, error) {
	m := &requestMaker{options: options, images: newImageReader(options.MaxImageBytes)}
	if options.EmbedColumn != "" {
		for _, other := range []struct{ field, value string }{
			{"Prompt", options.Prompt}, {"SystemPrompt", options.SystemPrompt}, {"ImageColumn", options.ImageColumn},
		} {
			if other.value != "" {
				return nil, fmt.Errorf("RowOptions.EmbedColumn and %s: want one of the two", other.field)
			}
		}
	}
	var err error
	if options.Prompt != "" {
		if m.prompt, err = newPrompt("Prompt", options.Prompt); err != nil {
			return nil, err
		}
	}
	if options.SystemPrompt != "" {
		if m.system, err = newPrompt("SystemPrompt", options.SystemPrompt); err != nil {
			return nil, err
		}
	}
	if columns == nil {
		return m, nil
	}
	if err := m.options.checkColumns(columns); err != nil {
		return nil, err
	}
	for _, p := range []*prompt{m.prompt, m.system} {
		if err := p.checkColumns(columns); err != nil {
			return nil, err
		}
	}
	return m, m.ask(columns)
}

// start is called with each row before its request is made: the first one decides what to ask where nothing else did.
func (m *requestMaker) start(row *batch.Row) error { return m.ask(row.Columns) }

// ask makes a prompt of the columns' names, if none is given.
func (m *requestMaker) ask(columns []batch.Column) (err error) {
	switch {
	case m.prompt != nil || m.options.EmbedColumn != "":
		return nil
	case hasColumn(columns, "user_message"):
		m.named = true
		if m.system == nil {
			if m.system, err = newPrompt("SystemPrompt", `{{index . "system_prompt"}}`); err != nil {
				return err
			}
		}
		m.prompt, err = newPrompt("Prompt", "{{.user_message}}")
		return err
	case len(columns) == 1 && columns[0].Name == "text":
		m.prompt, err = newPrompt("Prompt", "{{.text}}")
		return err
	}
	return &ColumnError{Option: "Prompt", Columns: columnNames(columns)}
}

// request makes the row's request. Beside an error it still has its id and metadata.
func (m *requestMaker) request(row TableRow) (*batch.Request, error) {
	r := &batch.Request{ID: row.Unit + "-" + strconv.Itoa(row.Number), Row: row.Row}
	for _, set := range []func(*batch.Request) error{m.setNames, m.setMetadata, m.setQuestion} {
		if err := set(r); err != nil {
			return r, err
		}
	}
	return r, nil
}

// setNames sets the id and, in a table of requests, the model.
func (m *requestMaker) setNames(r *batch.Request) error {
	if m.named {
		id, err := valueText(r.Row.Value("id"))
		if err != nil {
			return fmt.Errorf("column %q: %w", "id", err)
		}
		if strings.TrimSpace(id) != "" {
			r.ID = id
		}
		if r.Model, err = valueText(r.Row.Value("model")); err != nil {
			return fmt.Errorf("column %q: %w", "model", err)
		}
	}
	if m.options.IDColumn != "" {
		id, err := columnText(r.Row, "IDColumn", m.options.IDColumn)
		if err != nil {
			return err
		}
		r.ID = id
	}
	return nil
}

func (m *requestMaker) setMetadata(r *batch.Request) error {
	if len(m.options.MetadataColumns) == 0 {
		return nil
	}
	metadata := make(map[string]any, len(m.options.MetadataColumns))
	for _, name := range m.options.MetadataColumns {
		i := columnIndex(r.Row.Columns, name)
		if i < 0 {
			return noColumn("MetadataColumns", name, r.Row.Columns)
		}
		value, err := metadataValue(r.Row.Values[i])
		if err != nil {
			return fmt.Errorf("column %q: %w", name, err)
		}
		metadata[name] = value
	}
	r.Metadata = metadata
	return nil
}

func (m *requestMaker) setQuestion(r *batch.Request) error {
	if m.options.EmbedColumn != "" {
		text, err := columnText(r.Row, "EmbedColumn", m.options.EmbedColumn)
		r.Input = batch.Text(text)
		return err
	}
	text, err := m.prompt.render(r.Row)
	if err != nil {
		return err
	}
	if strings.TrimSpace(text) == "" {
		return errors.New("the prompt is empty")
	}
	if m.system != nil {
		if r.SystemPrompt, err = m.system.render(r.Row); err != nil {
			return err
		}
	}
	if m.options.ImageColumn == "" {
		r.UserMessage = text
		return nil
	}
	i := columnIndex(r.Row.Columns, m.options.ImageColumn)
	if i < 0 {
		return noColumn("ImageColumn", m.options.ImageColumn, r.Row.Columns)
	}
	content, err := m.images.content(text, r.Row.Values[i])
	switch {
	case err != nil:
		return err
	case content == nil:
		r.UserMessage = text
	default:
		r.Messages = []batch.Message{{Role: "user", Content: content}}
	}
	return nil
}

// columnText returns the text of a column that must have one.
func columnText(row *batch.Row, option, name string) (string, error) {
	i := columnIndex(row.Columns, name)
	if i < 0 {
		return "", noColumn(option, name, row.Columns)
	}
	text, err := valueText(row.Values[i])
	if err != nil {
		return "", fmt.Errorf("column %q: %w", name, err)
	}
	if strings.TrimSpace(text) == "" {
		return "", fmt.Errorf("column %q is empty", name)
	}
	return text, nil
}

// metadataValue returns a value as the metadata of a request read from JSON has it: numbers keep their digits.
func metadataValue(value any) (any, error) {
	switch value.(type) {
	case nil, string, bool, json.Number, json.RawMessage:
		return value, nil
	case int64, float64:
		raw, err := batch.Cell(batch.JSONColumn, value)
		if err != nil || string(raw.(json.RawMessage)) == "null" { // not a number
			return nil, err
		}
		return json.Number(raw.(json.RawMessage)), nil
	case []float32:
		return batch.Cell(batch.JSONColumn, value)
	}
	return batch.Cell(batch.TextColumn, value)
}
