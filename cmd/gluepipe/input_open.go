package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/source/parquet"
	"github.com/gluepipe/gluepipe/source/sqldb"
	"github.com/gluepipe/gluepipe/stages/llm"
)

// openRequests opens the source of an input.
func (a *app) openRequests(ctx context.Context, s *settings, path string, in *input) error {
	switch {
	case s.glob != "":
		return a.openGlob(ctx, s, in)
	case s.query != "":
		return a.openQuery(ctx, s, path, in)
	case isDatabase(path):
		return usagef("%s is a database: want --query", databaseName(path))
	}
	text, err := a.openText(ctx, s, path, in)
	if err != nil {
		return err
	}
	limit := int(s.maxLineBytes)
	switch in.format {
	case formatCSV, formatTSV:
		options := source.CSVOptions{Comma: s.comma(in.format), MaxRecordBytes: limit}
		return a.openRows(ctx, s, path, in)(text.csv(options))
	case formatLines:
		return a.openRows(ctx, s, path, in)(text.lines(source.LinesOptions{MaxLineBytes: limit}))
	case formatParquet:
		if text.reader != nil {
			return usagef("%s: Parquet is read from its end: want a file", s.inputName(path))
		}
		if isCompressed(path) {
			return usagef("%s: Parquet is compressed inside, and not as a file: decompress it first", path)
		}
		return a.openRows(ctx, s, path, in)(rows(parquet.Open(path)))
	case formatJSON:
		if !s.forRows() {
			in.Source, err = text.requests(source.ArrayOptions{MaxElementBytes: limit})
			return err
		}
		return a.openRows(ctx, s, path, in)(text.array(source.ArrayOptions{MaxElementBytes: limit}))
	case formatJSONL:
		if s.forRows() {
			return a.openRows(ctx, s, path, in)(text.objects(source.ObjectsOptions{MaxLineBytes: limit}))
		}
	}
	if flag := s.rowFlag(); flag != "" && s.forRows() {
		return usagef("--%s is for rows, and --input-format %s says that these are requests", flag, in.format)
	} else if flag != "" {
		return usagef("--%s is for rows, and %s holds requests; with --prompt, they are rows", flag, s.inputName(path))
	}
	if in.format == formatBatch {
		provider, _ := llm.SplitModel(s.model)
		options := source.BatchOptions{Provider: cmp.Or(provider, "openai"), MaxLineBytes: limit}
		if s.overrideModel {
			options.OverrideModel = s.model
		}
		in.Source, err = text.batch(options)
		return err
	}
	in.Source, err = text.jsonl(limit)
	return err
}

// openRows makes the requests of a table.
func (a *app) openRows(
	ctx context.Context, s *settings, path string, in *input,
) func(source.RowReader, error) error {
	return func(rows source.RowReader, err error) error {
		if err != nil {
			return err
		}
		in.free = append(in.free, rows.Close)
		if rows.Columns() == nil && s.wantsTable() {
			if rows, err = source.Sample(ctx, rows, sampled); err != nil {
				return err
			}
		}
		in.rows, in.columns = true, rows.Columns()
		in.Source, err = source.Rows(rows, s.rowOptions())
		if err == nil && in.columns == nil {
			in.Source, err = lookedAt(ctx, in.Source)
		}
		return s.rowsError(path, err)
	}
}

// sampled is how many objects tell the columns of a table that they are to become.
const sampled = 1000

func (a *app) openGlob(ctx context.Context, s *settings, in *input) error {
	options := source.GlobOptions{Text: usesColumn(s.rowOptions(), "text"), MaxFileBytes: int(s.maxLineBytes)}
	return a.openRows(ctx, s, "", in)(rows(source.Glob(s.glob, options)))
}

// usesColumn tells whether requests are made with a column. Files needn't be read for a prompt about their names.
func usesColumn(o source.RowOptions, column string) bool {
	for _, template := range []string{o.Prompt, o.SystemPrompt} {
		columns, err := source.PromptColumns(template)
		if err != nil || columns == nil || slices.Contains(columns, column) { // nil: it may use any
			return true
		}
	}
	return o.EmbedColumn == column || o.ImageColumn == column || slices.Contains(o.MetadataColumns, column)
}

func (a *app) openQuery(ctx context.Context, s *settings, path string, in *input) error {
	if s.idColumn == "" {
		return usagef("--query: want --id-column too: rows have no place of their own by which a run could be continued")
	}
	db, free, err := openForQuery(ctx, path, s.output, s.errors)
	if err != nil {
		return err
	}
	in.free = append(in.free, free)
	return a.openRows(ctx, s, path, in)(rows(sqldb.Query(ctx, db, s.query)))
}

// rows turns a reader of its own type into the interface, without making a nil one that is not nil.
func rows[R source.RowReader](reader R, err error) (source.RowReader, error) {
	if err != nil {
		return nil, err
	}
	return reader, nil
}

// openText finds out what is in a text. Of what can't be opened again, it returns the reader.
func (a *app) openText(ctx context.Context, s *settings, path string, in *input) (inputText, error) {
	var plain io.ReadCloser
	var err error
	again := false
	switch {
	case path == standard:
		plain = source.Decompress(a.in)
	case isURL(path):
		var body io.ReadCloser
		if body, err = a.get(ctx, path); err != nil {
			return inputText{}, err
		}
		in.free = append(in.free, body.Close)
		plain = source.Decompress(body)
	case hasScheme(path):
		return inputText{}, usagef("%s: %s", path, unknownScheme)
	default:
		info, statErr := os.Stat(path)
		if statErr == nil && info.IsDir() {
			return inputText{}, usagef("%s is a directory: want a file of requests, or --glob %s", path, shellQuote(strings.TrimSuffix(path, "/")+"/*"))
		}
		again = statErr == nil && info.Mode().IsRegular()
		if plain, err = source.Open(path); err != nil {
			return inputText{}, err
		}
	}
	in.format = s.inputFormat
	if in.format == formatAuto {
		buffered := bufio.NewReaderSize(plain, maxHead)
		head, err := peekLine(buffered)
		if err != nil && !errors.Is(err, io.EOF) && again {
			return inputText{}, errors.Join(fmt.Errorf("reading %s: %w", path, err), plain.Close())
		}
		if bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff")) {
			return inputText{}, errors.Join(
				fmt.Errorf("reading %s: the text is UTF-16: make it UTF-8 first", s.inputName(path)), plain.Close())
		}
		in.format = formatOfContent(head, formatOfName(path), s.forRows())
		plain = struct {
			io.Reader
			io.Closer
		}{buffered, plain}
	}
	if again {
		return inputText{path: path}, plain.Close()
	}
	in.free = append(in.free, plain.Close)
	return inputText{reader: plain}, nil
}

// maxHead is as much of a first line as is looked at.
const maxHead = 1 << 20

// peekLine returns the first line that isn't blank, with what is before it, or as much of it as fits.
func peekLine(r *bufio.Reader) ([]byte, error) {
	for {
		n := r.Buffered()
		head, _ := r.Peek(n)
		if line := bytes.TrimLeft(head, "\uFEFF \t\r\n"); bytes.IndexByte(line, '\n') >= 0 || n == r.Size() {
			return head, nil
		}
		if _, err := r.Peek(n + 1); err != nil {
			head, _ := r.Peek(r.Buffered())
			return head, err
		}
	}
}
