package command_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// rendered returns the arguments that a program gets, and the error where it isn't started.
func rendered(t *testing.T, templates []string, arguments string) ([]string, error) {
	t.Helper()
	answer, err := newTool(t, config(t, "arguments", templates...)).Call(t.Context(), json.RawMessage(arguments))
	if err != nil {
		return nil, err
	}
	var got []string
	require.NoError(t, json.Unmarshal([]byte(answer), &got))
	return got, nil
}

func TestValuesArePutIntoSingleArguments(t *testing.T) {
	for _, test := range []struct {
		templates []string
		arguments string
		want      []string
	}{
		{[]string{"-n", "{{.a}}", "{{ .b }}"}, `{"a": "x y", "b": 1.50}`, []string{"-n", "x y", "1.50"}},
		{[]string{"--of={{.a}}"}, `{"a": ["x", {"y": 1.0}]}`, []string{`--of=["x", {"y": 1.0}]`}},
		{[]string{"{{.a}}"}, `{"a": true}`, []string{"true"}},
		{[]string{"{{.a}}"}, `{"a": ""}`, []string{""}},
		{[]string{"{{.a}}", "--b={{.b}}", "{{.b}}-{{.c}}", "end"}, `{"a": "x"}`, []string{"x", "end"}},
		{[]string{"{{.a}}", "{{.b}}-{{.c}}"}, `{"a": "x", "b": "y", "c": null}`, []string{"x", "y-"}},
		{[]string{"{{.a}}:{{.b}}"}, `{"a": "x"}`, []string{"x:"}},
		{[]string{"{{.a}}"}, `{"a": "{{.b}} %s $HOME"}`, []string{"{{.b}} %s $HOME"}},
	} {
		got, err := rendered(t, test.templates, test.arguments)
		require.NoError(t, err)
		require.Equal(t, test.want, got)
	}
}

func TestWhatAShellWouldRunStaysOneArgument(t *testing.T) {
	for _, value := range []string{
		"; rm -rf /", "$(id)", "`id`", "a\nb", `"quoted" 'twice' \`, "| cat", "&& id", "*", "~", "x > /tmp/y", "\t", "\\u0000",
	} {
		got, err := rendered(t, []string{"{{.a}}", "in {{.a}}"}, string(encode(t, value)))
		require.NoError(t, err)
		require.Equal(t, []string{value, "in " + value}, got)
	}
}

func TestAValueBecomesNoOption(t *testing.T) {
	refused := `arguments: at "/a": want a value that doesn't begin with "-"`
	for _, test := range []struct {
		templates []string
		arguments string
		err       string
	}{
		{[]string{"{{.a}}"}, `{"a": "--output=/etc/passwd"}`, refused},
		{[]string{"{{.a}}"}, `{"a": "-"}`, refused},
		{[]string{"{{.a}}"}, `{"a": "-5"}`, refused},
		{[]string{"{{.a}}{{.b}}"}, `{"a": "", "b": "-x"}`, refused},
		{[]string{"{{.a}}{{.b}}"}, `{"a": -1, "b": "x"}`, refused},
		{[]string{"{{.c}}", "{{.a}}"}, `{"a": "-x", "c": "--"}`, `arguments: at "/c": want a value that doesn't begin with "-"`},
		{[]string{"{{.a}}", "--"}, `{"a": "-x"}`, refused},
		{[]string{"{{.a}}"}, `{"a": -5}`, ""},
		{[]string{"--", "{{.a}}"}, `{"a": "-x"}`, ""},
		{[]string{"--x={{.a}}"}, `{"a": "-x"}`, ""},
		{[]string{"-{{.a}}"}, `{"a": "-x"}`, ""},
		{[]string{"x{{.a}}"}, `{"a": "-x"}`, ""},
	} {
		_, err := rendered(t, test.templates, test.arguments)
		if test.err == "" {
			require.NoError(t, err, test)
		} else {
			require.EqualError(t, err, test.err, test)
		}
	}
}

func TestAValueWithANULByteIsRefused(t *testing.T) {
	_, err := rendered(t, []string{"{{.a}}"}, `{"a": "x\u0000y"}`)
	require.EqualError(t, err, `arguments: at "/a": want a value without NUL bytes`)
}

func encode(t *testing.T, value string) []byte {
	t.Helper()
	arguments, err := json.Marshal(map[string]string{"a": value})
	require.NoError(t, err)
	return arguments
}
