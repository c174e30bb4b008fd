package process

import (
	"bytes"
	"strings"
	"sync"
	"unicode"
)

const tailSize = 4 << 10

// Tail keeps the last 4 KiB that are written to it: of a program's standard error, they say best why it ended. The zero
// value is ready to use, by many goroutines at once.
type Tail struct {
	mu   sync.Mutex
	last []byte
	cut  bool
}

func (t *Tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, p[max(0, len(p)-tailSize):]...)
	if over := len(t.last) - tailSize; over > 0 || len(p) > tailSize {
		t.last = t.last[:copy(t.last, t.last[max(0, over):])]
		t.cut = true
	}
	return len(p), nil
}

// String returns what was written last in one printable line, for an error.
func (t *Tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.cut {
		return OneLine(string(t.last))
	}
	last := t.last
	if i := bytes.IndexByte(last, '\n'); i >= 0 && i < len(last)-1 {
		last = last[i+1:] // half a line says little, and half a secret is not found by who looks for it
	}
	return "..." + OneLine(string(last))
}

// OneLine makes a text printable in one line: lines are joined by "; ", what is no text or steers a terminal is left out.
func OneLine(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(strings.Map(printable, strings.ToValidUTF8(line, "\uFFFD")))
		if line == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteString("; ")
		}
		b.WriteString(line)
	}
	return b.String()
}

func printable(r rune) rune {
	switch {
	case unicode.IsSpace(r):
		return ' '
	case unicode.IsPrint(r):
		return r
	}
	return -1
}
