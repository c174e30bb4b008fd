package source

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

var errArrayEndsEarly = errors.New("the text ends before its array does")

// arrayScanner splits a JSON array into its elements. It looks at brackets and quotes alone: who reads an element finds out
// whether it is JSON.
type arrayScanner struct {
	in    *bufio.Reader
	limit int // of an element, in bytes

	number       int // of the element, from 1
	line, column int // of the byte last read

	raw                    []byte // the element, or of one that is too long its beginning
	long                   bool
	firstLine, firstColumn int // of the element
}

// next reads the next element. It returns io.EOF behind the last. Any other error is what ends the array early.
func (s *arrayScanner) next() error {
	s.number++
	c, err := s.separator()
	if err != nil {
		return err
	}
	return s.element(c)
}

// separator reads what stands before an element, and its first byte.
func (s *arrayScanner) separator() (byte, error) {
	if s.number == 1 {
		if err := s.begin(); err != nil {
			return 0, err
		}
	}
	c, err := s.nonSpace()
	switch {
	case err != nil:
		return 0, err
	case c == ']':
		return 0, s.end()
	case s.number == 1:
		return c, nil
	case c != ',':
		return 0, s.unexpected("a comma or the end of the array", c)
	}
	if c, err = s.nonSpace(); err == nil && (c == ']' || c == ',') {
		err = s.unexpected("an element", c)
	}
	return c, err
}

// begin reads the array's bracket.
func (s *arrayScanner) begin() error {
	if first, err := s.in.Peek(len(bom)); bytes.Equal(first, bom) {
		_, _ = s.in.Discard(len(bom))
	} else if isUTF16(first) {
		return errUTF16
	} else if len(first) == 0 && err == io.EOF {
		return errors.New("want a JSON array, got an empty text")
	}
	s.line = 1
	c, err := s.nonSpace()
	if err == nil && c != '[' {
		err = s.unexpected("a JSON array", c)
	}
	return err
}

// end says io.EOF where nothing stands behind the array.
func (s *arrayScanner) end() error {
	c, err := s.nonSpace()
	switch err {
	case nil:
		return s.unexpected("nothing behind the array", c)
	case errArrayEndsEarly:
		return io.EOF
	}
	return err
}

// element reads what begins with c.
func (s *arrayScanner) element(c byte) error {
	s.raw, s.long, s.firstLine, s.firstColumn = s.raw[:0], false, s.line, s.column
	depth, inText, escaped := 0, false, false
	for {
		if s.long = len(s.raw) == s.limit; !s.long {
			s.raw = append(s.raw, c)
		}
		switch {
		case escaped:
			escaped = false
		case inText && c == '\\':
			escaped = true
		case c == '"':
			inText = !inText
		case inText && c < ' ' && !s.long:
			return nil // no JSON can go on so, and the next quote may be far
		case inText:
		case c == '{', c == '[':
			depth++
		case c == '}', c == ']':
			depth--
		}
		if depth <= 0 && !inText && s.complete(c) {
			return nil
		}
		var err error
		c, err = s.byte()
		if err == errArrayEndsEarly {
			return fmt.Errorf("the text ends within the element that begins in line %d, column %d", s.firstLine, s.firstColumn)
		} else if err != nil {
			return err
		}
	}
}

// complete says whether the element that is open nowhere ends with c.
func (s *arrayScanner) complete(c byte) bool {
	if c == '}' || c == ']' || c == '"' {
		return true
	}
	after, _ := s.in.Peek(1)
	return len(after) == 0 || after[0] == ',' || after[0] == ']' || isSpace(after[0])
}

func (s *arrayScanner) nonSpace() (byte, error) {
	for {
		if c, err := s.byte(); err != nil || !isSpace(c) {
			return c, err
		}
	}
}

func (s *arrayScanner) byte() (byte, error) {
	c, err := s.in.ReadByte()
	switch {
	case err == io.EOF:
		return 0, errArrayEndsEarly
	case err != nil:
		return 0, err
	case c == '\n':
		s.line++
		s.column = 0
	case utf8.RuneStart(c):
		s.column++
	}
	return c, nil
}

func (s *arrayScanner) unexpected(want string, c byte) error {
	return fmt.Errorf("line %d, column %d: want %s, got %q", s.line, s.column, want, c)
}

// place says where the byte at offset in the element stands in the text.
func (s *arrayScanner) place(offset int) string {
	before := s.raw[:min(max(offset, 0), len(s.raw)-1)]
	line, column := s.firstLine+bytes.Count(before, []byte{'\n'}), s.firstColumn
	if i := bytes.LastIndexByte(before, '\n'); i >= 0 {
		before, column = before[i+1:], 1
	}
	return fmt.Sprintf("line %d, column %d", line, column+utf8.RuneCount(before))
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }
