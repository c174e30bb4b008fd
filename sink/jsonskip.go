package sink

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"strconv"
	"unicode/utf8"
)

// jsonScanner steps through JSON as this package writes it: without space between the parts. Its methods tell whether they
// found what they look for; where they did not, encoding/json has to decide what the text is.
type jsonScanner struct {
	text []byte
	at   int
}

// cut steps over exactly this.
func (s *jsonScanner) cut(literal string) bool {
	end := s.at + len(literal)
	if end > len(s.text) || string(s.text[s.at:end]) != literal {
		return false
	}
	s.at = end
	return true
}

func (s *jsonScanner) peek() byte {
	if s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

// maxSkipDepth is far beyond what is written, and far from where encoding/json gives up.
const maxSkipDepth = 100

// skip steps over a value of any kind.
func (s *jsonScanner) skip(depth int) bool {
	switch s.peek() {
	case '"':
		return s.skipString()
	case '{':
		return depth < maxSkipDepth && s.skipList('}', func() bool {
			return s.skipString() && s.cut(":") && s.skip(depth+1)
		})
	case '[':
		return depth < maxSkipDepth && s.skipList(']', func() bool { return s.skip(depth + 1) })
	case 't':
		return s.cut("true")
	case 'f':
		return s.cut("false")
	case 'n':
		return s.cut("null")
	}
	return s.number() != nil
}

// skipList steps over what stands between brackets.
func (s *jsonScanner) skipList(end byte, element func() bool) bool {
	s.at++
	if s.peek() == end {
		s.at++
		return true
	}
	for element() {
		switch s.peek() {
		case ',':
			s.at++
		case end:
			s.at++
			return true
		default:
			return false
		}
	}
	return false
}

// plainString returns a string that stands there as it is: in UTF-8 and without escapes.
func (s *jsonScanner) plainString() (string, bool) {
	start := s.at + 1
	if !s.skipString() {
		return "", false
	}
	text := s.text[start : s.at-1]
	return string(text), bytes.IndexByte(text, '\\') < 0 && utf8.Valid(text)
}

// skipString steps over a string, eight bytes at a time where these are nothing but text.
func (s *jsonScanner) skipString() bool {
	if s.peek() != '"' {
		return false
	}
	for at := s.at + 1; at < len(s.text); {
		if at+8 <= len(s.text) {
			special := specials(binary.LittleEndian.Uint64(s.text[at:]))
			if special == 0 {
				at += 8
				continue
			}
			at += bits.TrailingZeros64(special) / 8
		}
		switch c := s.text[at]; {
		case c == '"':
			s.at = at + 1
			return true
		case c == '\\':
			size := escape(s.text[at+1:])
			if size == 0 {
				return false
			}
			at += 1 + size
		case c < ' ':
			return false
		default:
			at++
		}
	}
	return false
}

// specials marks those of eight bytes that aren't plain text: quotes, backslashes and control characters. The lowest mark is
// right; there may be others above it that are not.
func specials(eight uint64) uint64 {
	const ones = 0x0101010101010101
	quotes, backslashes := eight^('"'*ones), eight^('\\'*ones)
	return ((quotes-ones)&^quotes | (backslashes-ones)&^backslashes | (eight-' '*ones)&^eight) & (0x80 * ones)
}

// escape returns how many bytes behind a backslash belong to it; 0 where they mean nothing.
func escape(text []byte) int {
	if len(text) == 0 {
		return 0
	}
	switch text[0] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 1
	case 'u':
		if len(text) < 5 {
			return 0
		}
		for _, c := range text[1:5] {
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
				return 0
			}
		}
		return 5
	}
	return 0
}

// number returns the text of a number, or nil.
func (s *jsonScanner) number() []byte {
	start := s.at
	if s.peek() == '-' {
		s.at++
	}
	if s.peek() == '0' {
		s.at++
	} else if !s.digits() {
		return nil
	}
	if s.peek() == '.' {
		s.at++
		if !s.digits() {
			return nil
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.at++
		if c := s.peek(); c == '+' || c == '-' {
			s.at++
		}
		if !s.digits() {
			return nil
		}
	}
	return s.text[start:s.at]
}

// digits steps over one digit or more.
func (s *jsonScanner) digits() bool {
	start := s.at
	for c := s.peek(); c >= '0' && c <= '9'; c = s.peek() {
		s.at++
	}
	return s.at > start
}

func (s *jsonScanner) whole() (int64, bool) {
	n, err := strconv.ParseInt(string(s.number()), 10, 64)
	return n, err == nil
}

func (s *jsonScanner) float() (float64, bool) {
	f, err := strconv.ParseFloat(string(s.number()), 64)
	return f, err == nil
}
