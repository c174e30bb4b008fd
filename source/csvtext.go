package source

import (
	"bytes"
	"io"
)

// csvText gives encoding/csv the lines of one record, a line at each Read, when it asks for them. It keeps what it gave
// until the record is done with, so that reading can go back to the line behind the record's first: encoding/csv alone would
// have taken everything up to the next quote.
type csvText struct {
	in     io.Reader
	limit  int    // of a record, in bytes, its line end not counted
	number int    // of the record's first line, from 1
	buf    []byte // what was read and not done with
	err    error  // of in
	inLine bool   // the buffer begins within a line to skip

	// The record begins at start. The other offsets count from there.
	start  int
	second int // where the record's second line begins
	given  int // what encoding/csv has been given
	line   int // where the line ends that it is being given
	lines  int // which line of the record that is, from 1
	quote  int // where the last line ends in which a quote was found

	long   bool  // the record is longer than the limit
	failed error // of in, within the record
}

// begin makes the next line that isn't blank the first of a record.
func (t *csvText) begin() error {
	if t.inLine {
		t.skipRest()
	}
	for {
		end, err := t.lineEnd(0)
		if err != nil {
			return err
		}
		t.second = end
		if t.rewind(); t.long || len(t.firstLine()) > 0 {
			return nil
		}
		t.skipLine()
	}
}

// rewind gives the record to encoding/csv from its beginning.
func (t *csvText) rewind() {
	t.given, t.line, t.quote, t.lines, t.failed = 0, t.second, t.second, 1, nil
}

// Read gives encoding/csv one line, or a part of it. A record that grows too long ends early.
func (t *csvText) Read(p []byte) (int, error) {
	if t.given == t.line {
		if t.given == t.quote && !t.findQuote() {
			return 0, io.EOF
		}
		t.line, _ = t.lineEnd(t.given) // which findQuote has read
		t.lines++
	}
	n := copy(p, t.window()[t.given:t.line])
	t.given += n
	return n, nil
}

// findQuote looks for the next line with a quote, within the limit: before it, a quoted field can't end. So encoding/csv
// isn't made to keep a long text for nothing.
func (t *csvText) findQuote() bool {
	for found := false; !found; {
		end, err := t.lineEnd(t.quote)
		if t.failed = err; err != nil || t.long {
			return false
		}
		found = bytes.IndexByte(t.window()[t.quote:end], '"') >= 0
		t.quote = end
	}
	return true
}

// broken says that the text ended within the record, by an error.
func (t *csvText) broken() bool { return t.failed != nil && t.failed != io.EOF }

// skipRecord is done with the record.
func (t *csvText) skipRecord() {
	t.start += t.given
	t.number += t.lines
}

// skipLine is done with the record's first line alone.
func (t *csvText) skipLine() {
	t.inLine = t.window()[t.second-1] != '\n'
	t.start += t.second
	t.number++
}

// skipRest is done with what is left of a line that was too long for the buffer.
func (t *csvText) skipRest() {
	for {
		if i := bytes.IndexByte(t.window(), '\n'); i >= 0 {
			t.start += i + 1
			break
		}
		if t.buf, t.start = t.buf[:0], 0; t.err != nil {
			break
		}
		t.fill()
	}
	t.inLine = false
}

func (t *csvText) window() []byte { return t.buf[t.start:] }

// record returns what encoding/csv has been given of the record.
func (t *csvText) record() []byte { return t.window()[:t.given] }

// firstLine returns the record's first line without its end, or of a line that is too long its beginning.
func (t *csvText) firstLine() []byte {
	line := trimLineEnd(t.window()[:t.second])
	return line[:min(len(line), t.limit)]
}

// lineEnd returns where the line that begins at from ends, and says in long whether the record with it is too long.
func (t *csvText) lineEnd(from int) (int, error) {
	for searched := from; ; t.fill() {
		window := t.window()
		end := len(window)
		if i := bytes.IndexByte(window[searched:], '\n'); i >= 0 {
			end = searched + i + 1
		} else if t.err != nil && (t.err != io.EOF || end == from) {
			return 0, t.err // a line that broke off is no record
		} else if t.err == nil && end <= t.limit+len("\r\n") {
			searched = end
			continue
		}
		t.long = len(trimLineEnd(window[:end])) > t.limit
		return end, nil
	}
}

// fill reads more. It moves the record in the buffer.
func (t *csvText) fill() {
	if len(t.buf) == cap(t.buf) && t.start > 0 {
		t.buf = t.buf[:copy(t.buf, t.window())]
		t.start = 0
	}
	if len(t.buf) == cap(t.buf) {
		t.buf = append(make([]byte, 0, min(max(readBuffer, 2*cap(t.buf)), t.limit+readBuffer)), t.buf...)
	}
	n, err := t.in.Read(t.buf[len(t.buf):cap(t.buf)])
	t.buf, t.err = t.buf[:len(t.buf)+n], err
}

func trimLineEnd(line []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte{'\n'}), []byte{'\r'})
}
