package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestTextThatIsPrintedControlsNoTerminal(t *testing.T) {
	for text, want := range map[string]string{
		"plain":                "plain",
		"\x1b[31mred\x1b[0m":   "red",
		"\x1b[2J\x1b[1;1Hgone": "gone",
		"\u009b2Jgone":         "gone",
		"\x1b]0;title\x07text": "text",
		"\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\": "link",
		"\u009d52;c;Zm9v\u009ctext":                   "text",
		"\x1bP$qm\x1b\\text":                          "text",
		"\x1b]0;no end":                               "]0;no end",
		"\x1bcreset, \x1b(0charset, \x1b7saved":       "reset, charset, saved",
		"\x1b\x1b[31m[2Jjoined":                       "[2Jjoined",
		"back\b\b\b\bfront\rstart\a\x7f":              "backfrontstart",
		"\u202eevil\u202c \u2066x\u2069":              "evil x",
		"raw \x9b2J byte":                             "raw \uFFFD2J byte",
		"a genuine \uFFFD, a tab\tand\nlines":         "a genuine \uFFFD, a tab\tand\nlines",
		"日本語, عربى, naïve, 👩‍👩‍👧":                     "日本語, عربى, naïve, 👩‍👩‍👧",
	} {
		require.Equal(t, want, printable(text), "%q", text)
	}
	require.Equal(t, "one two  three four", inOneLine("one\ntwo\r\nthree\u2028four"))
}

func FuzzPrintableTextHasNoControls(f *testing.F) {
	f.Add("\x1b]0;\x1b[31m\u009b\x9b\x1b")
	f.Add("\x1b\x1b]0;x\x07[2J\u202e")
	f.Fuzz(func(t *testing.T, text string) {
		got := printable(text)
		require.True(t, utf8.ValidString(got))
		require.False(t, strings.ContainsFunc(got, controls))
		require.Equal(t, got, printable(got))
		require.NotContains(t, inOneLine(text), "\n")
	})
}

func FuzzJSONOnATerminalIsTheSameValue(f *testing.F) {
	f.Add("a\u009b2J\x7f\u202e")
	f.Fuzz(func(t *testing.T, text string) {
		var line, shown bytes.Buffer
		require.NoError(t, json.NewEncoder(&line).Encode(map[string]string{"text": text}))
		before := line.String()
		n, err := jsonText{&shown}.Write(line.Bytes())
		require.NoError(t, err)
		require.Equal(t, len(before), n)
		require.False(t, strings.ContainsFunc(shown.String(), controls))
		require.JSONEq(t, before, shown.String())
	})
}
