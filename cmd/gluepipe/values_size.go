package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// sizeValue takes a number of bytes, with a unit or without.
type sizeValue struct{ to *int64 }

// sizeUnits holds those that help shows first: a size is shown in the first that divides it.
var sizeUnits = [...]struct {
	name  string
	bytes int64
}{
	{"GiB", 1 << 30},
	{"MiB", 1 << 20},
	{"KiB", 1 << 10},
	{"GB", 1e9},
	{"MB", 1e6},
	{"KB", 1e3},
	{"G", 1 << 30},
	{"M", 1 << 20},
	{"K", 1 << 10},
	{"B", 1},
	{"", 1},
}

// maxSize is more than fits into any memory, and far from where sums overflow.
const maxSize = 1 << 50

func (v sizeValue) Type() string   { return "SIZE" }
func (v sizeValue) String() string { return textOf(v.to, sizeText) }

func sizeText(n int64) string {
	for _, unit := range sizeUnits[:3] {
		if n > 0 && n%unit.bytes == 0 {
			return strconv.FormatInt(n/unit.bytes, 10) + unit.name
		}
	}
	return strconv.FormatInt(n, 10)
}

func (v sizeValue) Set(text string) error {
	for _, unit := range sizeUnits {
		digits, ok := cutSuffixFold(strings.TrimSpace(text), unit.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
		if err != nil || math.IsNaN(n) {
			break
		}
		n *= float64(unit.bytes)
		if n < 1 || n > maxSize {
			return fmt.Errorf("want a size of at least 1 byte and at most 1 PiB, got %q", text)
		}
		*v.to = int64(n)
		return nil
	}
	return fmt.Errorf("want a size such as 64MiB, 64MB or 67108864, got %q", text)
}

func cutSuffixFold(text, suffix string) (before string, found bool) {
	at := len(text) - len(suffix)
	if at < 0 || !strings.EqualFold(text[at:], suffix) {
		return text, false
	}
	return text[:at], true
}
