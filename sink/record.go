package sink

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/gluepipe/gluepipe/stages/batch"
)

var errNotARecord = errors.New("not a result record")

// record is what resuming and counting need of a result on disk.
type record struct {
	ID          *string           `json:"id"`
	Index       *int64            `json:"index"`
	Success     *bool             `json:"success"`
	ErrorType   batch.ErrorKind   `json:"error_type"`
	TokensUsed  *batch.TokenUsage `json:"tokens_used"`
	ElapsedTime float64           `json:"elapsed_time"`
	CostUSD     *float64          `json:"cost_usd"`
	Fingerprint string            `json:"fingerprint"`
}

func decodeRecord(line []byte) (record, error) {
	var r record
	if err := json.Unmarshal(line, &r); err != nil {
		return r, fmt.Errorf("%w: %w", errNotARecord, err)
	}
	if r.ID == nil || r.Index == nil || r.Success == nil {
		return r, fmt.Errorf("%w: want an id, index and success", errNotARecord)
	}
	return r, nil
}

func (r *record) addTo(s *batch.Summary) {
	s.TotalRequests++
	s.Add(&batch.Result{
		Success: *r.Success, ErrorType: r.ErrorType, TokensUsed: r.TokensUsed, CostUSD: r.CostUSD,
		ElapsedTime: time.Duration(math.Round(r.ElapsedTime * float64(time.Second))),
	})
}

// recordReader reads a file of results. Its memory is the read buffer and the longest line.
type recordReader struct {
	path   string
	in     *bufio.Reader
	long   []byte // a line that doesn't fit the read buffer
	number int    // of the line last read, from 1

	// What the last next found.
	record record
	line   []byte // the record's, without space around it; valid until the next one
	start  int64  // the offset of the record's line
	end    int64  // the offset behind it
	whole  bool   // the line has its newline

	torn int64 // bytes of a record that broke off at the end of the file
	err  error
}

func newRecordReader(path string, r io.Reader) *recordReader {
	return &recordReader{path: path, in: bufio.NewReaderSize(r, 256<<10), whole: true}
}

// next finds the next record and tells whether there is one. Blank lines are skipped, a torn last line is measured.
func (r *recordReader) next() bool {
	for r.err == nil && r.torn == 0 {
		line, err := r.readLine()
		if err != nil && err != io.EOF {
			r.err = fmt.Errorf("reading %s: %w", r.path, err)
			return false
		}
		if len(line) == 0 {
			return false
		}
		r.number++
		r.line = bytes.TrimSpace(line)
		whole := line[len(line)-1] == '\n'
		if len(r.line) > 0 {
			if r.record, err = decodeRecord(r.line); err != nil {
				if !whole && isTorn(line) {
					r.torn = int64(len(line))
					return false
				}
				r.err = fmt.Errorf("%s: line %d: %w", r.path, r.number, err)
				return false
			}
		}
		r.start, r.end, r.whole = r.end, r.end+int64(len(line)), whole
		if len(r.line) > 0 {
			return true
		}
	}
	return false
}

func (r *recordReader) readLine() ([]byte, error) {
	line, err := r.in.ReadSlice('\n')
	if err != bufio.ErrBufferFull {
		return line, err
	}
	r.long = r.long[:0]
	for err == bufio.ErrBufferFull {
		r.long = append(r.long, line...)
		line, err = r.in.ReadSlice('\n')
	}
	r.long = append(r.long, line...)
	return r.long, err
}

// isTorn tells whether a last line, which is no record, is the beginning of one as [batch.Result.AppendJSON] writes them.
// Anything else is somebody's data. A file system that lost power may have left zeros instead of what was written last.
func isTorn(line []byte) bool {
	if json.Valid(line) {
		return false
	}
	rest, ok := cutTorn(strings.TrimRight(string(line), "\x00"), `{"id":"`)
	if ok {
		_, ok = cutTorn(skipText(rest), `","index":`)
	}
	return ok
}

// cutTorn cuts the prefix from s. Where s ends within the prefix, nothing is left.
func cutTorn(s, prefix string) (string, bool) {
	if len(s) < len(prefix) {
		return "", strings.HasPrefix(prefix, s)
	}
	return strings.CutPrefix(s, prefix)
}

// skipText skips the rest of a JSON string, up to its closing quote.
func skipText(s string) string {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return s[i:]
		}
	}
	return ""
}
