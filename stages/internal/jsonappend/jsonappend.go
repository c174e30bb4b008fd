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
)

// Key appends a member's name and its colon, and a comma before it unless it is the object's first.
func Key(dst []byte, name string) []byte {
	if n := len(dst); n > 0 && dst[n-1] != '{' {
		dst = append(dst, ',')
	}
	return append(String(dst, name), ':')
}

// Seconds appends d as a number of seconds.
func Seconds(dst []byte, d time.Duration) []byte {
	return strconv.AppendFloat(dst, d.Seconds(), 'f', -1, 64)
}

// Raw appends raw, which must be one JSON value, compacted. Bytes that are not UTF-8 become U+FFFD, a run of them one,
// because many readers refuse a file that holds them.
func Raw(dst, raw []byte) ([]byte, error) {
	if !utf8.Valid(raw) {
		raw = bytes.ToValidUTF8(raw, []byte("\ufffd"))
	}
	buf := bytes.NewBuffer(dst)
	if err := json.Compact(buf, raw); err != nil {
		return dst, err
	}
	return buf.Bytes(), nil
}
