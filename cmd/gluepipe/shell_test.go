package main

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestACommandToContinueWithHidesWhatIsSecretInURLs(t *testing.T) {
	for arg, want := range map[string]string{
		"https://user:secret@host/v1":              "https://USER:PASSWORD@host/v1",
		"https://secret@host/v1":                   "https://USER:PASSWORD@host/v1",
		"https://user:p@secret@host/v1":            "https://USER:PASSWORD@host/v1",
		"--base-url=https://host/v1?key=secret":    "'--base-url=https://host/v1?QUERY'",
		"https://u:secret@host/v1?a=1&sig=secret":  "'https://USER:PASSWORD@host/v1?QUERY'",
		"https://host/@scope/v1":                   "https://host/@scope/v1",
		"Look at https://u:secret@host/?a=b, now!": "'Look at https://USER:PASSWORD@host/?a=b, now!'",
		"Is https://host/?page=2 yours, a@b.c?":    "'Is https://host/?page=2 yours, a@b.c?'",
	} {
		require.Equal(t, "gluepipe "+want, commandLine([]string{arg}), arg)
	}
}

func TestACommandToContinueWithIsReadByAShellAsItWasGiven(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("needs bash")
	}
	for _, arg := range []string{
		"plain", "it's me", "", "two\nlines", "tab\there", "\x1b[31mred's\x1b[0m.jsonl", `back\slash`, "both \\ and \n'",
		"\u202eevil", "raw \x9b byte", "$HOME `x` *", "日本語", "日本\n語",
	} {
		line := commandLine([]string{arg})
		require.Equal(t, inOneLine(line), line)
		printed, err := exec.CommandContext(t.Context(), bash, "-c", "gluepipe() { printf %s \"$1\"; }\n"+line).Output()
		require.NoError(t, err)
		require.Equal(t, arg, string(printed))
	}
}
