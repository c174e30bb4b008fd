package command

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func FuzzAValueStaysInItsArgumentAndIsNoOption(f *testing.F) {
	for _, value := range []string{"x", "-x", "--", "", "a\nb", "{{.a}}", "\x00", "\xff", "$(id)", "\u2212"} {
		f.Add(value, value)
	}
	known := fields{"a": true, "b": false}
	list, err := parseArguments([]string{"first", "{{.a}}", "--b={{.b}}", "{{.b}}{{.a}}", "last"}, known)
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, a, b string) {
		object, err := json.Marshal(map[string]string{"a": a, "b": b})
		require.NoError(t, err)
		got, err := list.render(object)
		if strings.HasPrefix(a, "-") || strings.HasPrefix(b+a, "-") || strings.Contains(a+b, "\x00") {
			require.Error(t, err)
			return
		}
		require.NoError(t, err)
		a, b = strings.ToValidUTF8(a, "\uFFFD"), strings.ToValidUTF8(b, "\uFFFD")
		require.Len(t, got, 5)
		require.Equal(t, "first", got[0])
		require.Equal(t, "last", got[4])
		if a == strings.ToValidUTF8(a, "") && b == strings.ToValidUTF8(b, "") && !strings.ContainsRune(a+b, '\uFFFD') {
			require.Equal(t, []string{a, "--b=" + b, b + a}, got[1:4])
		}
	})
}

func FuzzATemplateIsReadOrRefused(f *testing.F) {
	for _, text := range []string{"x", "{{.a}}", "--a={{- .a -}}", "{{/* c */}}", "{{define \"x\"}}{{end}}", "{{.a", "{{range .a}}{{end}}", "{{a}}", "{{.a | print}}"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := parseArgument(text, fields{"a": false})
		if err != nil {
			return
		}
		_, given, err := a.render(nil, false)
		require.NoError(t, err)
		require.Equal(t, !a.templated(), given)
	})
}
