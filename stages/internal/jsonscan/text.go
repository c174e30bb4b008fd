package jsonscan

import (
	"bytes"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Valid tells whether text is one JSON value. It is false of some that are valid, see the package.
func Valid(text []byte) bool {
	s := New(text)
	s.Value()
	return s.End()
}

// Compact tells whether text is one JSON value without space between its parts. It is false of some that are, see the package.
func Compact(text []byte) bool {
	if !Valid(text) {
		return false
	}
	for at := 0; at < len(text); at++ {
		switch text[at] {
		case '"':
			end, _ := skipString(text, at)
			at = end - 1
		case ' ', '\n', '\t', '\r':
			return false
		}
	}
	return true
}

// Text returns the text that a JSON string stands for, in memory of its own. ok is false where value is anything else, or
// not UTF-8.
func Text(value []byte) (text string, ok bool) {
	if len(value) == 0 || value[0] != '"' {
		return "", false
	}
	end, plain := skipString(value, 0)
	if end != len(value) || !utf8.Valid(value) {
		return "", false
	}
	inside := value[1 : end-1]
	if plain {
		return string(inside), true
	}
	return unescape(inside), true
}

// unescape returns what a string's inside stands for.
func unescape(inside []byte) string {
	var text strings.Builder
	text.Grow(len(inside))
	for {
		escape := bytes.IndexByte(inside, '\\')
		if escape < 0 {
			text.Write(inside)
			return text.String()
		}
		text.Write(inside[:escape])
		c := inside[escape+1]
		inside = inside[escape+2:]
		switch c {
		case 'b':
			text.WriteByte('\b')
		case 'f':
			text.WriteByte('\f')
		case 'n':
			text.WriteByte('\n')
		case 'r':
			text.WriteByte('\r')
		case 't':
			text.WriteByte('\t')
		case 'u':
			var r rune
			r, inside = codePoint(inside)
			text.WriteRune(r)
		default: // a quote, a backslash, a slash
			text.WriteByte(c)
		}
	}
}

// codePoint reads what follows \u, and a second escape where the two are a pair. Half a pair is U+FFFD.
func codePoint(inside []byte) (rune, []byte) {
	first, rest := hex4(inside), inside[4:]
	if !utf16.IsSurrogate(first) {
		return first, rest
	}
	if len(rest) >= 6 && rest[0] == '\\' && rest[1] == 'u' {
		if pair := utf16.DecodeRune(first, hex4(rest[2:])); pair != utf8.RuneError {
			return pair, rest[6:]
		}
	}
	return utf8.RuneError, rest
}
