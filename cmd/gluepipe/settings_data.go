package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/gluepipe/gluepipe/source"
)

// data is what can be said of the formats that are read and written, and of how rows become requests.
type data struct {
	input        string
	inputFormat  string
	outputFormat string
	delimiter    string
	lines        bool
	glob         string
	query        string
	table        string

	prompt          string
	idColumn        string
	metadataColumns []string
	imageColumn     string
	embed           string
	embedBatch      int
	overrideModel   bool

	schema         json.RawMessage
	maxRepairs     int
	schemaInPrompt bool
}

var inputFormats = []string{
	formatAuto, formatJSONL, formatBatch, formatCSV, formatTSV, formatJSON, formatLines, formatParquet,
}

var outputFormats = []string{formatAuto, formatJSONL, formatBatch, formatCSV, formatTSV, formatParquet}

func (d *data) inputFlags(flags *pflag.FlagSet) {
	flags.VarP(textValue{&d.input, "INPUT"}, "input", "i", "the input, as a flag: FILE, URL, - for standard input, or a database")
	format(flags, &d.inputFormat, "input-format", "of the input; auto is by its name and content", inputFormats)
	toggle(flags, &d.lines, "lines", "short for --input-format lines: a line is a request")
	flags.Var(delimiterValue{textValue{&d.delimiter, "CHARACTER"}}, "delimiter",
		"of columns in CSV (default , when written; when read, what splits the header best)")
	text(flags, &d.glob, "glob", "PATTERN", "read files instead of one input: a file is a request")
	text(flags, &d.query, "query", "SQL", "read the rows of a query; the input is the database: postgres://... or a SQLite file")
}

// rowFlags adds the flags that make requests of rows.
func (d *data) rowFlags(flags *pflag.FlagSet) {
	flags.Var(promptValue{&d.prompt}, "prompt", "ask this about each row, a template: 'Classify this review: {{.review}}'")
	text(flags, &d.idColumn, "id-column", "COLUMN", "names the results (default line-<n> or row-<n>)")
	flags.Var(listValue{&d.metadataColumns}, "metadata-columns", "put these columns into the metadata")
	text(flags, &d.imageColumn, "image-column", "COLUMN", "send an image with the prompt: a path or URL")
	text(flags, &d.embed, "embed", "COLUMN", "embed this column instead of asking a prompt")
	count(flags, &d.embedBatch, "embed-batch", 1, "texts in one call of --embed")
}

// answerFlags adds the flags that say what form answers have.
func (d *data) answerFlags(flags *pflag.FlagSet) {
	flags.Var(schemaValue{&d.schema}, "schema", "a JSON schema: ask for answers of this form, and check them")
	count(flags, &d.maxRepairs, "max-repairs", 0, "ask so often again for an answer that breaks the schema")
	toggle(flags, &d.schemaInPrompt, "schema-in-prompt", "tell the model the schema in words, where its server can't be told")
}

// inputOf returns the one input of a command, "" with --glob, and settles what is said of its format.
func (d *data) inputOf(command string, args []string) (string, error) {
	given := args
	if d.input != "" && len(args) == 0 {
		given = []string{d.input}
	}
	switch {
	case d.lines && d.inputFormat != formatAuto && d.inputFormat != formatLines:
		return "", usagef("--lines and --input-format %s: want one of the two", d.inputFormat)
	case d.input != "" && len(args) > 0:
		return "", usagef("--input %s and %s: %s takes one input", d.input, args[0], command)
	case d.glob != "" && (len(given) > 0 || d.query != ""):
		return "", usagef("--glob gives the input: leave the other one out")
	case d.glob == "" && len(given) == 0:
		return "", usagef(`%s needs an input: a file, or "-" for standard input`, command)
	case d.query != "" && !isDatabase(given[0]):
		return "", usagef("--query: want a database as the input, postgres://... or sqlite:FILE, got %s", given[0])
	case d.glob != "":
		return "", nil
	}
	if d.lines {
		d.inputFormat = formatLines
	}
	return given[0], nil
}

// format adds a flag with a choice of formats, which are too many to stand for its value in the help.
func format(flags *pflag.FlagSet, to *string, name, usage string, formats []string) {
	flags.Var(formatValue{choiceValue{to, formats}}, name, usage+": "+strings.Join(formats, ", "))
}

type formatValue struct{ choiceValue }

func (formatValue) Type() string { return "FORMAT" }

// forRows tells whether the input's records are rows to make requests of, where they could be requests themselves.
func (d *data) forRows() bool { return d.prompt != "" || d.embed != "" }

// rowFlag returns a flag that was given and needs rows, or "".
func (d *data) rowFlag() string {
	for _, flag := range []struct {
		name  string
		given bool
	}{
		{"prompt", d.prompt != ""},
		{"embed", d.embed != ""},
		{"id-column", d.idColumn != ""},
		{"metadata-columns", len(d.metadataColumns) > 0},
		{"image-column", d.imageColumn != ""},
	} {
		if flag.given {
			return flag.name
		}
	}
	return ""
}

func (s *settings) rowOptions() source.RowOptions {
	options := source.RowOptions{
		Prompt: s.prompt, SystemPrompt: s.systemPrompt, IDColumn: s.idColumn, MetadataColumns: s.metadataColumns,
		ImageColumn: s.imageColumn, EmbedColumn: s.embed,
	}
	if s.glob == "" {
		return options
	}
	if options.IDColumn == "" {
		options.IDColumn = "path"
	}
	if !s.forRows() {
		options.Prompt = "{{.text}}"
	}
	return options
}

// rowsError says in words of the command line what is wrong with what was said of an input's rows.
func (s *settings) rowsError(path string, err error) error {
	wrong, ok := errors.AsType[*source.ColumnError](err)
	switch {
	case err == nil:
		return nil
	case ok && wrong.Column == "":
		_, columns, _ := strings.Cut(wrong.Error(), ": ")
		return usagef("%s holds rows: want --prompt, such as --prompt %s, or --embed; %s", s.inputName(path),
			shellQuote("Summarize: "+placeholder(wrong.Columns)), columns)
	}
	return &usageError{err}
}

// identifier is a name that a template takes behind a dot.
var identifier = regexp.MustCompile(`^[A-Za-z_]\w{0,50}$`)

// placeholder returns what stands for a column in a prompt.
func placeholder(columns []string) string {
	for _, column := range slices.Backward(columns) {
		if identifier.MatchString(column) {
			return "{{." + column + "}}"
		}
	}
	return fmt.Sprintf("{{index . %q}}", shortened(columns[len(columns)-1], 60))
}

// comma returns the delimiter of a format; 0 where it is to be found.
func (d *data) comma(format string) rune {
	switch {
	case d.delimiter == `\t`:
		return '\t'
	case d.delimiter != "":
		return []rune(d.delimiter)[0]
	case format == formatTSV:
		return '\t'
	}
	return 0
}

// delimiterValue takes one character.
type delimiterValue struct{ textValue }

func (v delimiterValue) Set(text string) error {
	if text == `\t` || text == "tab" {
		return v.textValue.Set(`\t`)
	}
	runes := []rune(text)
	if len(runes) != 1 || strings.ContainsAny(text, "\"\r\n\uFFFD") {
		return fmt.Errorf(`want one character, such as ; or \t, got %q`, text)
	}
	return v.textValue.Set(text)
}

// tableValue takes the name of a table, with a schema or without one.
type tableValue struct{ textValue }

func (v tableValue) Set(text string) error {
	parts := strings.Split(text, ".")
	if len(parts) > 2 || slices.Contains(parts, "") {
		return fmt.Errorf("want the name of a table, such as results or out.results, got %q", text)
	}
	return v.textValue.Set(text)
}

// listValue takes names, separated by commas. Given again, it adds to them.
type listValue struct{ to *[]string }

func (v listValue) Type() string { return "NAME,..." }
func (v listValue) String() string {
	return textOf(v.to, func(names []string) string { return strings.Join(names, ",") })
}

func (v listValue) Set(text string) error {
	for name := range strings.SplitSeq(text, ",") {
		if name = strings.TrimSpace(name); name != "" {
			*v.to = append(*v.to, name)
		}
	}
	return nil
}

// schemaValue takes a file with a JSON schema.
type schemaValue struct{ to *json.RawMessage }

func (v schemaValue) Type() string   { return "FILE" }
func (v schemaValue) String() string { return "" }

func (v schemaValue) Set(path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !json.Valid(content) {
		return errors.New(path + ": want a JSON schema, got what is no JSON")
	}
	*v.to = content
	return nil
}
