// Package jsonappend appends JSON to byte slices without reflection where the value's type allows it. What it appends
// never holds a newline, so that a value can stand in a JSON Lines file. On an error dst
// comes back as it was.
package jsonappend

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/gluepipe/gluepipe/stages/internal/jsonscan"
)

// Key appends a member's name and its colon, and a comma before it unless it is the object's first.
func Key(dst []byte, name string) []byte {
	if n := len(dst); n > 0 && dst[n-1] != '{' {
		dst = append(dst, ',')
	}
	return append(String(dst, name), ':')
}

// Seconds appends d as a number of seconds, exactly: a float64 would turn 1.23456789 s into 1.2345678900000001.
func Seconds(dst []byte, d time.Duration) []byte {
	nanoseconds := uint64(d)
	if d < 0 {
		dst, nanoseconds = append(dst, '-'), -nanoseconds
	}
	dst = strconv.AppendUint(dst, nanoseconds/1e9, 10)
	if fraction := nanoseconds % 1e9; fraction > 0 {
		point := len(dst)
		dst = strconv.AppendUint(dst, 1e9+fraction, 10) // the leading 1 keeps the zeros after the point
		dst[point] = '.'
		dst = bytes.TrimRight(dst, "0")
	}
	return dst
}

// Raw appends raw, which must be one JSON value, compacted. Bytes that are not UTF-8 become U+FFFD, a run of them one,
// because many readers refuse a file that holds them.
func Raw(dst, raw []byte) ([]byte, error) {
	if jsonscan.Compact(raw) && utf8.Valid(raw) {
		return append(dst, raw...), nil
	}
	if !utf8.Valid(raw) {
		raw = bytes.ToValidUTF8(raw, []byte("\ufffd"))
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		return dst, err
	}
	return append(dst, compact.Bytes()...), nil
}
