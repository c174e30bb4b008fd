package source

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// RowOptions says how a row becomes a request. Without Prompt and EmbedColumn, a table with a column user_message is taken
// for requests as they are, with system_prompt, id and model where it has such columns and they aren't empty; a table
// with the one column text is asked with it.
//
// # Prompts
//
// Prompt and SystemPrompt are templates of [text/template]. The row is the dot: {{.review}}, {{index . "my column"}}, and
// if, with, range and variables as usual. What they print is not escaped. NULL and NaN print as nothing, numbers as their
// digits, times as of RFC 3339, bytes as their text or else in base64, and lists, objects and vectors as their JSON. JSON
// can be walked: {{.address.city}}, {{range .tags}}. A column or a field that isn't there fails the row;
// {{index . "nickname"}} takes it for NULL where the table's columns aren't known beforehand.
//
// These functions come on top of those of text/template, of which call, html, js, urlquery and {{template}} are left out:
//
//	json X          X as JSON; {{json .}} is the whole row
//	trim X          X without the space around it; lower and upper change its letters
//	truncate N X    the first N characters of X: {{.review | truncate 1000}}
//	default D X     D where X is NULL or empty: {{.name | default "someone"}}
//
// eq, ne, lt, le, gt and ge compare a number with a number, also where one of them came as a text (as all do in CSV), and
// anything else by what it prints as. A prompt is at most 16 MiB long, and takes at most 250,000 turns of its loops.
type RowOptions struct {
	// Prompt is the template of the user's message. A row that makes it empty fails.
	Prompt string
	// SystemPrompt is the template of the system prompt. Where it is empty, the run's counts.
	SystemPrompt string
	// IDColumn gives the requests their ids. A row where it is NULL or empty fails. The default is line-<n> or row-<n>, the
	// row's place in the table.
	IDColumn string
	// MetadataColumns come back in the results' metadata, as they do in the results' rows.
	MetadataColumns []string
	// ImageColumn adds images to the user's message: a URL (http, https or data), the path of a file, the bytes of an image,
	// or a JSON list of URLs and paths. A file is sent only if it is a PNG, a JPEG, a GIF or a WebP by its content, so that a
	// table can't send anything else to a provider; a path is relative to the working directory. An empty cell adds none.
	ImageColumn string
	// EmbedColumn makes requests for embeddings of its texts. A row where it is NULL or empty fails.
	EmbedColumn string
	// MaxImageBytes is how large a row's images may be, files and bytes together. A request holds them in memory from Next
	// until its result is written. The default, 0, is 20 MiB; -1 means no limit.
	MaxImageBytes int64
}

// Rows returns a source that makes a request of each row. The row itself comes along as its Request.Row.
//
// A row that makes no request (it can't be read, its prompt is empty, its image isn't there) is yielded as an item that has
// failed with [batch.ErrInvalidRequest] and says where and why. An option that names a column which the table doesn't have
// is a [*ColumnError], and so are options that don't say what to ask. Where the columns aren't known before the rows are,
// each row is checked, and the first row decides what to ask without a prompt; the error is then Next's.
//
// The source closes rows at Close. Where Rows returns an error, rows stays the caller's to close. The source is [Sized] if
// rows has a method Len() int, and blocks as rows does.
func Rows(rows RowReader, options RowOptions) (batch.Source, error) {
	maker, err := newRequestMaker(rows.Columns(), options)
	if err != nil {
		return nil, err
	}
	s := &rowSource{rows: rows, maker: maker}
	if sized, ok := rows.(interface{ Len() int }); ok {
		return sizedRowSource{s, sized.Len}, nil
	}
	return s, nil
}

type rowSource struct {
	rows  RowReader
	maker *requestMaker
	err   error // what Next returns from now on
}

type sizedRowSource struct {
	*rowSource
	size func() int
}

func (s sizedRowSource) Len() int { return s.size() }

func (s *rowSource) Close() error { return s.rows.Close() }

func (s *rowSource) Next(ctx context.Context) (*batch.Item, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.err != nil {
		return nil, s.err
	}
	row, err := s.rows.Next(ctx)
	if unreadable, ok := errors.AsType[*RowError](err); ok {
		return unreadable.item(), nil
	}
	if err == nil {
		err = s.maker.start(row.Row)
	}
	if err != nil {
		if ctx.Err() == nil { // an ended ctx is that call's alone
			s.err = err
		}
		return nil, err
	}
	return s.item(row), nil
}

func (s *rowSource) item(row TableRow) *batch.Item {
	item := &batch.Item{Origin: row.Unit + " " + strconv.Itoa(row.Number)}
	request, err := s.maker.request(row)
	if err == nil {
		item.Request = request
		return item
	}
	item.Result = &batch.Result{
		ID: request.ID, Row: row.Row, Metadata: request.Metadata, Fingerprint: fingerprintRow(row.Row),
	}
	item.Fail(batch.ErrInvalidRequest.Errorf("%s: %w", item.Origin, err))
	return item
}

// item makes the item of a row that can't be read.
func (e *RowError) item() *batch.Item {
	number := strconv.Itoa(e.Number)
	item := &batch.Item{
		Origin: e.Unit + " " + number,
		Result: &batch.Result{ID: e.Unit + "-" + number, Fingerprint: batch.FingerprintRecord(e.Raw)},
	}
	kept := *e
	kept.Raw = nil // the reader's
	item.Fail(batch.ErrInvalidRequest.Wrap(&kept))
	return item
}

func fingerprintRow(row *batch.Row) string {
	raw, err := row.MarshalJSON()
	if err != nil {
		raw = fmt.Append(nil, err)
	}
	return batch.FingerprintRecord(raw)
}
