package httptool

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAURLIsFilledWithArguments(t *testing.T) {
	for _, test := range []struct{ template, arguments, want string }{
		{"https://h/v1/{{.a}}", `{"a":"Oslo"}`, "https://h/v1/Oslo"},
		{"https://h:8443/{{ .a }}.json", `{"a":"São Paulo/x?y#z%&;"}`, "https://h:8443/S%C3%A3o%20Paulo%2Fx%3Fy%23z%25&%3B.json"},
		{"https://h/{{.a}}-{{.b}}/", `{"a":1.50,"b":true}`, "https://h/1.50-true/"},
		{"https://h?q={{.a}}&fixed=%20x", `{"a":"a b&c=d\u0000"}`, "https://h?q=a+b%26c%3Dd%00&fixed=%20x"},
		{"https://h/?q={{.a}}&r={{.b}}", `{"b":9007199254740993}`, "https://h/?r=9007199254740993"},
		{"https://h/?near={{.a}},{{.b}}", `{"a":1}`, "https://h/"},
		{"https://h/?near={{.a}},{{.b}}", `{"a":1,"b":null}`, "https://h/"},
		{"https://h/?near={{.a}},{{.b}}", `{"a":1,"b":-2e3}`, "https://h/?near=1,-2e3"},
		{"https://h/?q={{.a}}", `{"a":{"x": [1, 2]}}`, "https://h/?q=%7B%22x%22%3A%5B1%2C2%5D%7D"},
		{"https://h/?q={{.a}}", `{"a":""}`, "https://h/?q="},
		{"https://u:p@h/{{.a}}", `{"a":"x"}`, "https://h/x"},
		{"http://[2606:4700::1]:80/{{.a}}", `{"a":"x"}`, "http://[2606:4700::1]:80/x"},
	} {
		got, err := fillURL(test.template, test.arguments)
		require.NoError(t, err, test.template)
		require.Equal(t, test.want, got)
	}
}

func fillURL(raw, arguments string) (string, error) {
	t, err := parseTemplate(raw)
	if err != nil {
		return "", err
	}
	var values map[string]json.RawMessage
	if err := json.Unmarshal([]byte(arguments), &values); err != nil {
		return "", err
	}
	target, err := t.render(values)
	if err != nil {
		return "", err
	}
	return target.String(), nil
}

func TestAValueDoesNotClimbOutOfItsPlaceInThePath(t *testing.T) {
	for _, value := range []string{".", "..", "../x", "x/..", `..\x`, `x/.\y`, "./", "a/../b"} {
		_, err := fillURL("https://h/v1/{{.a}}/x", `{"a":`+string(must(json.Marshal(value)))+`}`)
		require.ErrorContains(t, err, "in the path of the URL", value)
	}
	_, err := fillURL("https://h/v1/.{{.a}}", `{"a":"."}`)
	require.ErrorContains(t, err, `want no ".." in the path`)
	for _, arguments := range []string{`{}`, `{"a":null}`, `{"a":""}`} {
		_, err := fillURL("https://h/v1/{{.a}}", arguments)
		require.EqualError(t, err, `arguments: at "/a": want a value, the path of the URL needs one`)
	}
	_, err = fillURL("https://h/{{.a}}", `{"a":"x\u0000"}`)
	require.ErrorContains(t, err, "without a NUL")
	got, err := fillURL("https://h/v1/../{{.a}}", `{"a":"v1..2"}`)
	require.NoError(t, err)
	require.Equal(t, "https://h/v1/../v1..2", got, "what the configuration writes is its own affair")
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func FuzzAURLStaysWhereItsTemplateSays(f *testing.F) {
	f.Add("Oslo", "x", "1")
	f.Add("../..", "@evil.example", "a&b=c#d")
	f.Add("%2e%2e%2f", "\\..\\", "\x00\xff")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		arguments := string(must(json.Marshal(map[string]string{"a": a, "b": b, "c": c})))
		got, err := fillURL("https://api.example.com/v1/{{.a}}/x-{{.b}}/end?q={{.c}}&k=v", arguments)
		if err != nil {
			return
		}
		target, err := url.Parse(got)
		require.NoError(t, err)
		require.Equal(t, "https://api.example.com", target.Scheme+"://"+target.Host)
		require.Nil(t, target.User)
		require.Empty(t, target.Fragment)
		segments := strings.Split(target.EscapedPath(), "/")
		require.Len(t, segments, 5)
		require.Equal(t, []string{"", "v1", "end"}, []string{segments[0], segments[1], segments[4]})
		require.NotEmpty(t, segments[2])
		names := strings.FieldsFunc(target.Path, func(r rune) bool { return r == '/' || r == '\\' })
		require.False(t, slices.Contains(names, "..") || slices.Contains(names, "."), got)
		query, err := url.ParseQuery(target.RawQuery)
		require.NoError(t, err)
		require.Len(t, query, 2)
		require.Equal(t, []string{"v"}, query["k"])
		require.Equal(t, []string{string([]rune(c))}, query["q"])
	})
}
