package source_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// FuzzPrompt says that no template does harm, whatever it is and whatever the row holds, that it uses no column beyond those
// that it was found to use, and that a table without them is refused beforehand.
func FuzzPrompt(f *testing.F) {
	for _, template := range []string{
		"{{.text}}", `{{index . "text"}}`, "{{range $i, $x := .json}}{{$i}}{{$x}}{{$.n}}{{end}}", "{{with .json}}{{.a.b}}{{end}}",
		"{{if gt .n 3}}{{.text | truncate 3}}{{else}}{{$r := .}}{{$r.n}}{{end}}", "{{json .}}", "{{printf \"%5d%s\" .n .text}}",
		"{{$x := 1}}{{$x = .}}{{$x.text}}", "{{range .json}}{{break}}{{end}}{{(.).n}}", "{{define \"a\"}}{{.n}}{{end}}{{.text}}",
		"{{with $x := .json}}{{$x.a}}{{else with .text}}{{.}}{{end}}", "{{default 1 .none | upper}}", "{{and .n (not .text)}}",
		"{{range .}}{{.}}{{else}}{{.n}}{{end}}", "{{slice .text 1 2}}{{len .text}}", "{{eq .n .text \"a\" nil}}", "{{(index .json 0).a}}",
		"{{with or .n .}}{{.text}}{{end}}", "{{/**/}}{{break}}", "{{block \"x\" .}}{{end}}", "{{1i}}{{'a'}}{{0x1p-2}}{{nil}}",
		"{{.n.a.b}}", "{{range 3}}{{$.n}}{{end}}", "{{$.text}}{{with .}}{{.none}}{{end}}", "{{print .json.a \"x\" 1e300}}",
	} {
		f.Add(template, "a <text>", int64(5), `{"a":{"b":1.50},"c":[1,null]}`)
		f.Add(template, "", int64(-1), `[{"a":1},{}]`)
	}
	columns := []batch.Column{{Name: "text"}, {Name: "n"}, {Name: "json"}, {Name: "none"}}
	f.Fuzz(func(t *testing.T, template, text string, n int64, raw string) {
		if !json.Valid([]byte(raw)) {
			raw = "null"
		}
		row := []any{text, n, json.RawMessage(raw), nil}
		ask := func(template string) (*batch.Item, error) {
			src, err := source.Rows(
				&table{columns: columns, unit: "row", rows: []any{row}}, source.RowOptions{Prompt: template + "{{/**/}}"},
			)
			if err != nil {
				return nil, err
			}
			return next(t, src), nil
		}
		used, parseErr := source.PromptColumns(template + "{{/**/}}")
		item, err := ask(template)
		if parseErr != nil {
			require.EqualError(t, err, parseErr.Error())
			return
		}
		there := func(name string) bool { return name == "text" || name == "n" || name == "json" || name == "none" }
		if wrong, ok := errors.AsType[*source.ColumnError](err); ok {
			require.False(t, there(wrong.Column))
			return
		}
		require.NoError(t, err)
		for _, name := range used { // none are listed where it may use any
			require.True(t, there(name), name)
		}
		whole, err := ask("{{if false}}{{.}}{{end}}" + template)
		require.NoError(t, err)
		if item.Result == nil {
			require.NotNil(t, whole.Request, "with all columns it fails")
			require.Equal(t, item.Request.UserMessage, whole.Request.UserMessage)
			require.LessOrEqual(t, len(item.Request.UserMessage), 16<<20)
		} else {
			require.NotNil(t, whole.Result, "with all columns it doesn't fail: %s", item.Result.Error)
			require.NotContains(t, item.Result.Error, "template: ")
			require.Less(t, len(item.Result.Error), 1000)
		}
	})
}
