package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// What servers, models and files say ends up on people's terminals. There it must not move the cursor, change colours or
// titles, or answer questions that nobody asked.

// escapeSequence is what a terminal takes for a command, introduced by ESC or by the C1 control that stands for it. One that
// has no end is no sequence: it would swallow the text behind it.
var escapeSequence = regexp.MustCompile(
	`(?:\x1b\[|\x{9b})[0-?]*[ -/]*[@-~]` +
		`|(?:\x1b[\]PX^_]|[\x{9d}\x{90}\x{98}\x{9e}\x{9f}])[^\x07\x1b\x{9c}]*(?:\x07|\x1b\\|\x{9c})` +
		`|\x1b[ -/]*[0-Z\\^-~]`)

// printable returns a text without escape sequences and control characters. Line breaks and tabs stay.
func printable(text string) string {
	if utf8.ValidString(text) && !strings.ContainsFunc(text, controls) {
		return text
	}
	// Bytes that are no UTF-8 are C1 controls to some terminals.
	text = escapeSequence.ReplaceAllLiteralString(strings.ToValidUTF8(text, "\uFFFD"), "")
	return strings.Map(func(r rune) rune {
		if controls(r) {
			return -1
		}
		return r
	}, text)
}

// inOneLine returns a text as people can read it within a line.
func inOneLine(text string) string {
	return printable(strings.Map(func(r rune) rune {
		switch r {
		case '\n', '\r', '\t', '\v', '\f', '\u2028', '\u2029':
			return ' '
		}
		return r
	}, text))
}

// controls tells what acts on a terminal instead of being shown: C0 and C1 controls, DEL, and what changes the direction of a
// text.
func controls(r rune) bool {
	switch {
	case r == '\n', r == '\t':
		return false
	case r < ' ', r >= 0x7f && r <= 0x9f:
		return true
	}
	return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// messages is standard error, or what stands in for it. Each Write is one whole message. What can't be written is lost: the
// results matter more than what is said about them.
type messages struct{ out io.Writer }

func (m messages) Write(p []byte) (int, error) {
	_, _ = io.WriteString(m.out, forPeople(p))
	return len(p), nil
}

// forPeople returns a message without what no terminal and no log should get.
func forPeople(message []byte) string { return withoutPasswords(printable(string(message))) }

// jsonText is a terminal that JSON is written to: what would act on the terminal is escaped, so that it is still the same
// value. Each Write is one or more whole lines.
type jsonText struct{ terminal io.Writer }

func (j jsonText) Write(p []byte) (int, error) {
	if utf8.Valid(p) && !bytes.ContainsFunc(p, controls) {
		return j.terminal.Write(p)
	}
	var escaped strings.Builder
	for _, r := range string(p) {
		switch {
		case r == '\r': // which can only stand between values
			escaped.WriteByte(' ')
		case controls(r):
			fmt.Fprintf(&escaped, `\u%04x`, r)
		default:
			escaped.WriteRune(r)
		}
	}
	if _, err := io.WriteString(j.terminal, escaped.String()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// records returns where JSON is written on its way to standard output through w. A file or a pipe gets the bytes as they are.
func (a *app) records(w io.Writer) io.Writer {
	if isTerminal(a.out) {
		return jsonText{w}
	}
	return w
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
