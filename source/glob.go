package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"unicode/utf8"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// GlobOptions says what is read of the files. The zero value is fine.
type GlobOptions struct {
	// Text reads the files, which then are the column text. Without it, no file is opened: paths of images need no texts.
	Text bool
	// MaxFileBytes is the size of the largest file that is read, once decompressed. The default, 0, is 16 MiB; -1 means no
	// limit.
	MaxFileBytes int
}

// Glob returns a reader that takes each file whose path matches pattern for a row, in the order of the paths: the column
// path, and with Text the column text, decompressed where the file is: see [Open].
//
// The pattern is one of [path.Match] for each folder on the way, and ** stands for any number of folders: docs/**/*.md. As in
// a shell, names that begin with a dot match only where the pattern has the dot. ** follows no symbolic links. A pattern
// that is wrong or matches nothing is an error. Glob walks the folders, and keeps the paths in memory.
//
// A match that can't be read is a [*RowError] that names its path: a folder (but for patterns with **, which go into it), a
// file that isn't there any more, is too large or not UTF-8, and a folder that can't be listed. Files are opened one at a
// time. The reader has a method Len() int, which returns the number of rows, bad ones included.
func Glob(pattern string, options GlobOptions) (RowReader, error) {
	found, err := expandGlob(pattern)
	if err != nil {
		return nil, fmt.Errorf("pattern %q: %w", pattern, err)
	}
	columns := []batch.Column{{Name: "path", Type: batch.TextColumn}}
	if options.Text {
		columns = append(columns, textColumns...)
	}
	return &glob{found: found, columns: columns, options: options}, nil
}

type glob struct {
	found   []globMatch
	columns []batch.Column
	options GlobOptions
	next    int
}

func (g *glob) Columns() []batch.Column { return g.columns }

func (g *glob) Len() int { return len(g.found) }

func (g *glob) Close() error { return nil }

func (g *glob) Next(ctx context.Context) (TableRow, error) {
	if err := ctx.Err(); err != nil {
		return TableRow{}, err
	}
	if g.next == len(g.found) {
		return TableRow{}, io.EOF
	}
	match := g.found[g.next]
	g.next++
	values, err := g.read(match)
	if err != nil {
		err = fmt.Errorf("%s: %w", match.path, withoutPath(err))
		return TableRow{}, &RowError{Number: g.next, Unit: unitRow, Raw: []byte(match.path), Err: err}
	}
	return TableRow{Row: &batch.Row{Columns: g.columns, Values: values}, Number: g.next, Unit: unitRow}, nil
}

func (g *glob) read(match globMatch) ([]any, error) {
	if match.err != nil {
		return nil, match.err
	}
	info, err := os.Stat(match.path)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, errors.New("a folder, and not a file")
	case !info.Mode().IsRegular(): // opening a pipe would wait for its other end
		return nil, errors.New("not a file")
	case !g.options.Text:
		return []any{match.path}, nil
	}
	text, err := g.text(match.path)
	return []any{match.path, text}, err
}

// text reads a file.
func (g *glob) text(path string) (string, error) {
	file, err := Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	limit := lineLimit(g.options.MaxFileBytes)
	data, err := io.ReadAll(io.LimitReader(file, int64(limit)+1))
	switch {
	case err != nil:
		return "", err
	case len(data) > limit:
		return "", fmt.Errorf("larger than the allowed %d bytes", limit)
	}
	return plainText(data)
}

// plainText makes a text of a file's bytes, without a byte order mark.
func plainText(data []byte) (string, error) {
	switch {
	case isUTF16(data):
		return "", errUTF16
	case !utf8.Valid(data):
		return "", errNotUTF8
	}
	return string(bytes.TrimPrefix(data, bom)), nil
}
