package sqldb

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/gluepipe/gluepipe/stages/batch"
)

const replacement = "\uFFFD"

// storable returns a text as databases take it: UTF-8 without zero bytes.
func storable(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, replacement), "\x00", replacement)
}

// storableJSON returns JSON as Postgres takes it: no escape stands for a zero byte or half a character.
func storableJSON(raw json.RawMessage) string {
	text := storable(string(raw))
	if !strings.Contains(text, `\u`) {
		return text
	}
	var out strings.Builder
	for i := 0; i < len(text); {
		width := 1
		if text[i] == '\\' {
			width = 2
		}
		if code, ok := escape(text[i:]); ok {
			width = 6
			low, paired := escape(text[i+6:])
			switch {
			case code == 0, code >= 0xDC00 && code < 0xE000:
				code = -1
			case code >= 0xD800 && code < 0xDC00:
				if paired && low >= 0xDC00 && low < 0xE000 {
					width = 12
				} else {
					code = -1
				}
			}
			if code < 0 {
				out.WriteString(replacement)
				i += width
				continue
			}
		}
		end := min(i+width, len(text))
		out.WriteString(text[i:end])
		i = end
	}
	return out.String()
}

// escape reads \uXXXX at the beginning of a text.
func escape(text string) (code int64, ok bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	code, err := strconv.ParseInt(text[2:6], 16, 32)
	return code, err == nil
}

// vectorText returns numbers in brackets of a database's own.
func vectorText(vector []float32, left, right byte) string {
	cell, _ := batch.Cell(batch.JSONColumn, vector) // a vector always encodes
	list := cell.(json.RawMessage)
	return string(left) + string(list[1:len(list)-1]) + string(right)
}
