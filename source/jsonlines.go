package source

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/gluepipe/gluepipe/stages/batch"
)

const defaultMaxLineBytes = 16 << 20

// jsonLines reads a text in which each line is a JSON value.
type jsonLines struct {
	opened
	lines *lineReader
	err   error // what next returns from now on
}

func newJSONLines(r io.Reader) *jsonLines {
	return &jsonLines{opened: given(), lines: newLineReader(r, readBuffer)}
}

// openJSONLines opens the file at path; see [Open].
func openJSONLines(path string) (*jsonLines, error) {
	file, err := Open(path)
	if err != nil {
		return nil, err
	}
	l := newJSONLines(file)
	l.opened = opened{path: path, close: file.Close}
	return l, nil
}

// next returns the next line that isn't blank, valid until the following call, or io.EOF. A line that is too long or not
// UTF-8 is a [*RowError]. maxBytes is as [JSONLReader.MaxLineBytes].
func (l *jsonLines) next(ctx context.Context, maxBytes int) ([]byte, error) {
	limit := lineLimit(maxBytes)
	for l.err == nil {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		line, err := l.lines.next(limit)
		switch {
		case errors.Is(err, errLongLine):
			return nil, l.bad(line, fmt.Errorf("longer than the allowed %d bytes", limit))
		case err != nil:
			l.err = l.readError(unitLine, l.lines.number, err)
		case len(bytes.TrimSpace(line)) == 0:
		case !utf8.Valid(line):
			bad := l.bad(line, errNotUTF8)
			bad.Column = invalidUTF8(line)
			return nil, bad
		default:
			return line, nil
		}
	}
	return nil, l.err
}

// bad returns the error of the line that next has just returned. It finds the column of a syntax error.
func (l *jsonLines) bad(line []byte, err error) *RowError {
	bad := &RowError{Number: l.lines.number, Unit: unitLine, Raw: line, Err: err}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		bad.Column = column(line, syntax.Offset-syntaxOffset)
	}
	return bad
}

// item returns the item of the next line: the request that read makes of it, or a failed one. The request may keep nothing
// of the line, since the bytes are the reader's. Without an id of its own it gets line-<n>; read may fail and give one.
func (l *jsonLines) item(
	ctx context.Context, maxBytes int, read func(r *batch.Request, line []byte) error,
) (*batch.Item, error) {
	made := &struct { // at once, since they live as long as each other
		item    batch.Item
		request batch.Request
	}{}
	item, request := &made.item, &made.request
	line, err := l.next(ctx, maxBytes)
	if err == nil {
		if err = read(request, line); err != nil {
			err = l.bad(line, err)
		}
	}
	item.Origin = withNumber("line ", l.lines.number)
	if request.ID == "" {
		request.ID = withNumber("line-", l.lines.number)
	}
	if bad, ok := err.(*RowError); ok { //nolint:errorlint // made here, and wrapped nowhere
		item.Result = &batch.Result{ID: request.ID, Fingerprint: batch.FingerprintRecord(bad.Raw)}
		bad.Raw = nil // the reader's
		item.Fail(batch.ErrInvalidRequest.Wrap(bad))
		return item, nil
	}
	if err != nil {
		return nil, err
	}
	item.Request = request
	return item, nil
}

func withNumber(text string, n int) string {
	var room [32]byte
	return string(strconv.AppendInt(append(room[:0], text...), int64(n), 10))
}

// lineLimit returns what a MaxLineBytes means.
func lineLimit(maxBytes int) int {
	switch {
	case maxBytes < 0:
		return math.MaxInt / 2 // the line reader adds to it
	case maxBytes == 0:
		return defaultMaxLineBytes
	}
	return maxBytes
}

// syntaxOffset is the offset that encoding/json gives a first byte that is wrong: 1, or 0 with GOEXPERIMENT=jsonv2.
var syntaxOffset = func() int64 {
	syntax, _ := errors.AsType[*json.SyntaxError](json.Unmarshal([]byte("?"), new(any)))
	return syntax.Offset
}()

// column returns the place of the byte at offset as people count it: in characters, from 1.
func column(line []byte, offset int64) int {
	offset = min(max(offset, 0), int64(len(line)-1)) // JSON that ends early is wrong beyond its end
	begin := offset                                  // of the character that the byte belongs to
	for begin > 0 && !utf8.RuneStart(line[begin]) {
		begin--
	}
	if r, size := utf8.DecodeRune(line[begin:]); r != utf8.RuneError && begin+int64(size) > offset {
		offset = begin
	}
	return utf8.RuneCount(line[:offset]) + 1
}

// invalidUTF8 returns the column of the first byte that is not UTF-8.
func invalidUTF8(line []byte) int { return column(line, int64(validPrefix(line))) }

// validPrefix returns how many bytes are UTF-8.
func validPrefix(raw []byte) int {
	n := 0
	for n < len(raw) {
		r, size := utf8.DecodeRune(raw[n:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		n += size
	}
	return n
}
