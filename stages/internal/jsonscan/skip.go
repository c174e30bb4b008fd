package jsonscan

import (
	"encoding/binary"
	"math/bits"
)

// maxDepth is far deeper than anybody nests. What is deeper is left to encoding/json.
const maxDepth = 200

// The functions below take the place where something begins, and return the place behind it, or bad.
const bad = -1

// skipSpace skips the space that JSON allows between its parts.
func skipSpace(data []byte, at int) int {
	for at < len(data) && (data[at] == ' ' || data[at] == '\n' || data[at] == '\t' || data[at] == '\r') {
		at++
	}
	return at
}

// skipValue skips any value. depth is how many objects and lists are open around it.
func skipValue(data []byte, at, depth int) int {
	if at >= len(data) || depth > maxDepth {
		return bad
	}
	switch data[at] {
	case '"':
		end, _ := skipString(data, at)
		return end
	case '{':
		return skipObject(data, at, depth)
	case '[':
		return skipList(data, at, depth)
	case 't':
		return skipWord(data, at, "true")
	case 'f':
		return skipWord(data, at, "false")
	case 'n':
		return skipWord(data, at, "null")
	}
	return skipNumber(data, at)
}

func skipObject(data []byte, at, depth int) int {
	at = skipSpace(data, at+1)
	if at < len(data) && data[at] == '}' {
		return at + 1
	}
	for {
		if at >= len(data) || data[at] != '"' {
			return bad
		}
		if at, _ = skipString(data, at); at == bad {
			return bad
		}
		if at = skipSpace(data, at); at >= len(data) || data[at] != ':' {
			return bad
		}
		if at = skipValue(data, skipSpace(data, at+1), depth+1); at == bad {
			return bad
		}
		at = skipSpace(data, at)
		switch {
		case at >= len(data):
			return bad
		case data[at] == '}':
			return at + 1
		case data[at] != ',':
			return bad
		}
		at = skipSpace(data, at+1)
	}
}

func skipList(data []byte, at, depth int) int {
	at = skipSpace(data, at+1)
	if at < len(data) && data[at] == ']' {
		return at + 1
	}
	for {
		if at = skipValue(data, at, depth+1); at == bad {
			return bad
		}
		at = skipSpace(data, at)
		switch {
		case at >= len(data):
			return bad
		case data[at] == ']':
			return at + 1
		case data[at] != ',':
			return bad
		}
		at = skipSpace(data, at+1)
	}
}

func skipWord(data []byte, at int, word string) int {
	if len(data)-at < len(word) || string(data[at:at+len(word)]) != word {
		return bad
	}
	return at + len(word)
}

func skipNumber(data []byte, at int) int {
	if data[at] == '-' {
		at++
	}
	if at < len(data) && data[at] == '0' {
		at++
	} else if at = skipDigits(data, at); at == bad {
		return bad
	}
	if at < len(data) && data[at] == '.' {
		if at = skipDigits(data, at+1); at == bad {
			return bad
		}
	}
	if at < len(data) && (data[at] == 'e' || data[at] == 'E') {
		at++
		if at < len(data) && (data[at] == '+' || data[at] == '-') {
			at++
		}
		return skipDigits(data, at)
	}
	return at
}

// skipDigits skips one digit or more.
func skipDigits(data []byte, at int) int {
	begin := at
	for at < len(data) && '0' <= data[at] && data[at] <= '9' {
		at++
	}
	if at == begin {
		return bad
	}
	return at
}

// A word of eight bytes has its bits compared at once: ones has 1 in each byte, highs the highest bit.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// Special returns a word in which the highest bit of the first byte is set that ends a run of plain text in a string: a
// quote, a backslash or a control character. The first byte is the lowest. Bits behind the one that is found mean nothing.
func Special(word uint64) uint64 {
	quote, backslash := word^ones*'"', word^ones*'\\'
	return ((quote-ones)&^quote | (backslash-ones)&^backslash | (word-ones*' ')&^word) & highs
}

// skipString skips a string. plain says that it stands for what is between its quotes, if that is UTF-8.
func skipString(data []byte, at int) (end int, plain bool) {
	plain = true
	for at++; ; {
		for len(data)-at >= 8 {
			found := Special(binary.LittleEndian.Uint64(data[at:]))
			if found != 0 {
				at += bits.TrailingZeros64(found) / 8
				break
			}
			at += 8
		}
		if at >= len(data) {
			return bad, false
		}
		switch c := data[at]; {
		case c == '"':
			return at + 1, plain
		case c == '\\':
			plain = false
			if at = skipEscape(data, at); at == bad {
				return bad, false
			}
		case c < ' ':
			return bad, false
		default:
			at++
		}
	}
}

func skipEscape(data []byte, at int) int {
	if at+1 >= len(data) {
		return bad
	}
	switch data[at+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return at + 2
	case 'u':
		if len(data)-at >= 6 && hex4(data[at+2:]) >= 0 {
			return at + 6
		}
	}
	return bad
}

// hex4 returns the number that four hexadecimal digits stand for, or -1.
func hex4(digits []byte) rune {
	n := rune(0)
	for _, c := range digits[:4] {
		switch {
		case '0' <= c && c <= '9':
			n = n<<4 | rune(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			n = n<<4 | rune(c|0x20-'a'+10)
		default:
			return -1
		}
	}
	return n
}
