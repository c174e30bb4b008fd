package source

import (
	"context"
	"io"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// JSONLReader is a source that reads JSON Lines: a request a line, see [batch.Request]. Blank lines, a byte order mark, CRLF
// and a last line without its end are fine. A request without an id gets line-<n>, the number of its line.
//
// A line that is no request (bad JSON, a wrong type, bytes that are not UTF-8, a line too long) is yielded as an item that
// has failed with [batch.ErrInvalidRequest] and says where; its id is line-<n>. An error of the reader itself ends the run,
// and a line that it tore is not taken for a request.
//
// Memory doesn't grow with the input. Next blocks while the reader does, whatever becomes of its ctx.
type JSONLReader struct {
	// MaxLineBytes is the length of the longest line that is read, its end not counted. The default, 0, is 16 MiB; -1 means
	// no limit. It is set before the first Next.
	MaxLineBytes int

	lines *jsonLines
}

// JSONL returns a source that reads r, and never closes it.
func JSONL(r io.Reader) *JSONLReader { return &JSONLReader{lines: newJSONLines(r)} }

// OpenJSONL returns a source that reads the file at path, as [Open] does, and closes it at Close. Its errors name the path.
func OpenJSONL(path string) (*JSONLReader, error) {
	lines, err := openJSONLines(path)
	if err != nil {
		return nil, err
	}
	return &JSONLReader{lines: lines}, nil
}

// Next returns the item of the next line that isn't blank, or io.EOF.
func (j *JSONLReader) Next(ctx context.Context) (*batch.Item, error) {
	return j.lines.item(ctx, j.MaxLineBytes, func(r *batch.Request, line []byte) error {
		err := r.UnmarshalJSON(line)
		if err != nil {
			r.ID = "" // of a request that may be half read
		}
		return err
	})
}

// Close closes the file that OpenJSONL opened. It may be called while Next blocks.
func (j *JSONLReader) Close() error { return j.lines.close() }
