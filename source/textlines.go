package source

import (
	"context"
	"io"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// LinesOptions says how the lines of a text are read. The zero value is fine.
type LinesOptions struct {
	// MaxLineBytes is the length of the longest line that is read, its end not counted. The default, 0, is 16 MiB; -1 means
	// no limit.
	MaxLineBytes int
}

// Lines returns a reader that takes each line of a text for a row with the one column text, and never closes r. The line's
// end, LF or CRLF, isn't part of it; nothing else is trimmed. Blank lines are skipped, and so is a byte order mark.
//
// A line that is not UTF-8 or too long is a [*RowError], and the lines behind it are read.
//
// Memory doesn't grow with the text, but for a line. Next blocks while r does, whatever becomes of its ctx.
func Lines(r io.Reader, options LinesOptions) RowReader {
	return &textLines{jsonLines: newJSONLines(r), options: options}
}

// OpenLines returns a reader of the file at path, of plain text or compressed: see [Lines] and [Open]. Close closes the file,
// while Next blocks, too. Its errors name the path.
func OpenLines(path string, options LinesOptions) (RowReader, error) {
	lines, err := openJSONLines(path)
	if err != nil {
		return nil, err
	}
	return &textLines{jsonLines: lines, options: options}, nil
}

// textColumns are those of a table of texts.
var textColumns = []batch.Column{{Name: "text", Type: batch.TextColumn}}

type textLines struct {
	*jsonLines // which don't mind what the lines are
	options    LinesOptions
}

func (l *textLines) Columns() []batch.Column { return textColumns }

func (l *textLines) Next(ctx context.Context) (TableRow, error) {
	line, err := l.next(ctx, l.options.MaxLineBytes)
	if err != nil {
		return TableRow{}, err
	}
	row := &batch.Row{Columns: textColumns, Values: []any{string(line)}}
	return TableRow{Row: row, Number: l.lines.number, Unit: unitLine}, nil
}
