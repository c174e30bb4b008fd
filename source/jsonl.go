package source

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/gluepipe/gluepipe/stages/batch"
)

const defaultMaxLineBytes = 16 << 20

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

	lines *lineReader
	path  string
	close func() error
	err   error // what Next returns from now on
}

// JSONL returns a source that reads r, and never closes it.
func JSONL(r io.Reader) *JSONLReader {
	return &JSONLReader{
		lines: newLineReader(r, readBuffer),
		close: func() error { return nil },
	}
}

// OpenJSONL returns a source that reads the file at path, as [Open] does, and closes it at Close. Its errors name the path.
func OpenJSONL(path string) (*JSONLReader, error) {
	file, err := Open(path)
	if err != nil {
		return nil, err
	}
	j := JSONL(file)
	j.path, j.close = path, file.Close
	return j, nil
}

// Next returns the item of the next line that isn't blank, or io.EOF.
func (j *JSONLReader) Next(ctx context.Context) (*batch.Item, error) {
	for j.err == nil {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		line, err := j.lines.next(j.limit())
		switch {
		case errors.Is(err, errLongLine):
			return j.failed(line, 0, fmt.Errorf("longer than the allowed %d bytes", j.limit())), nil
		case err != nil:
			j.err = j.readError(err)
		case len(bytes.TrimSpace(line)) > 0:
			return j.item(line), nil
		}
	}
	return nil, j.err
}

// Close closes the file that OpenJSONL opened. It may be called while Next blocks.
func (j *JSONLReader) Close() error { return j.close() }

func (j *JSONLReader) limit() int {
	switch {
	case j.MaxLineBytes < 0:
		return math.MaxInt / 2 // the line reader adds to it
	case j.MaxLineBytes == 0:
		return defaultMaxLineBytes
	}
	return j.MaxLineBytes
}

func (j *JSONLReader) readError(err error) error {
	var pathErr *fs.PathError
	switch {
	case err == io.EOF:
		return err
	case j.path == "":
		return fmt.Errorf("reading line %d: %w", j.lines.number, err)
	case errors.As(err, &pathErr):
		err = pathErr.Err // the path is told already
	}
	return fmt.Errorf("reading %s: line %d: %w", j.path, j.lines.number, err)
}

// item reads a line. The request keeps nothing of it: the bytes are the reader's.
func (j *JSONLReader) item(line []byte) *batch.Item {
	if column, ok := invalidUTF8(line); ok {
		return j.failed(line, column, errors.New("not valid UTF-8"))
	}
	request := &batch.Request{}
	if err := request.UnmarshalJSON(line); err != nil {
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			return j.failed(line, column(line, syntax.Offset-syntaxOffset), err)
		}
		return j.failed(line, 0, err)
	}
	if request.ID == "" {
		request.ID = j.lineID()
	}
	return &batch.Item{Origin: j.origin(), Request: request}
}

// failed makes the item of a line that is no request; column is 0 where the line as a whole is wrong.
func (j *JSONLReader) failed(line []byte, column int, err error) *batch.Item {
	item := &batch.Item{
		Origin: j.origin(),
		Result: &batch.Result{ID: j.lineID(), Fingerprint: batch.FingerprintRecord(line)},
	}
	where := item.Origin
	if column > 0 {
		where += ", column " + strconv.Itoa(column)
	}
	item.Fail(batch.ErrInvalidRequest.Errorf("%s: %w", where, err))
	return item
}

func (j *JSONLReader) origin() string { return "line " + strconv.Itoa(j.lines.number) }

func (j *JSONLReader) lineID() string { return "line-" + strconv.Itoa(j.lines.number) }

// syntaxOffset is the offset that encoding/json gives a first byte that is wrong: 1, or 0 with GOEXPERIMENT=jsonv2.
var syntaxOffset = func() int64 {
	syntax, _ := errors.AsType[*json.SyntaxError](json.Unmarshal([]byte("?"), new(any)))
	return syntax.Offset
}()

// column returns the place of the byte at offset as people count it: in characters, from 1.
func column(line []byte, offset int64) int {
	offset = min(max(offset, 0), int64(len(line)-1)) // JSON that ends early is wrong beyond its end
	return utf8.RuneCount(line[:offset]) + 1
}

func invalidUTF8(line []byte) (int, bool) {
	if utf8.Valid(line) {
		return 0, false
	}
	for i := 0; ; {
		r, size := utf8.DecodeRune(line[i:])
		if r == utf8.RuneError && size == 1 {
			return column(line, int64(i)), true
		}
		i += size
	}
}
