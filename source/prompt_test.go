package source_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// thing is a row with a value of each type.
func thing() *batch.Row {
	return &batch.Row{
		Columns: []batch.Column{
			{Name: "text"},
			{Name: "nothing"},
			{Name: "empty"},
			{Name: "my column"},
			{Name: "csv"},
			{Name: "int", Type: batch.IntColumn},
			{Name: "big", Type: batch.IntColumn},
			{Name: "float", Type: batch.FloatColumn},
			{Name: "million", Type: batch.FloatColumn},
			{Name: "digits", Type: batch.FloatColumn},
			{Name: "minus", Type: batch.FloatColumn},
			{Name: "yes", Type: batch.BoolColumn},
			{Name: "time", Type: batch.TimeColumn},
			{Name: "bytes", Type: batch.BytesColumn},
			{Name: "blob", Type: batch.BytesColumn},
			{Name: "vector", Type: batch.VectorColumn},
			{Name: "address", Type: batch.JSONColumn},
			{Name: "tags", Type: batch.JSONColumn},
		},
		Values: []any{
			"a <b> & \"c\" ü", nil, "", "mine", "4",
			int64(5), int64(1<<62 + 1),
			0.5, 1e6,
			json.Number("1.50"), json.Number("-0"), true,
			time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600)), []byte("bytes"),
			[]byte{0xff},
			[]float32{1, 0.5},
			json.RawMessage(`{"zip": "00100", "city": "Roma", "at": {"y": 2, "x": 1.50}, "none": null}`), json.RawMessage(`["a", 2]`),
		},
	}
}

func TestWhatPromptsPrint(t *testing.T) {
	for template, want := range map[string]string{
		`{{.text}}`:                         "a <b> & \"c\" ü",
		`{{if .}}a row{{end}}`:              "a row",
		`[{{.nothing}}]`:                    "[]",
		`{{index . "my column"}}`:           "mine",
		`{{.int}} {{.big}}`:                 "5 4611686018427387905",
		`{{.float}} {{.million}}`:           "0.5 1000000",
		`{{.minus}}`:                        "-0",
		`{{.digits}}`:                       "1.50",
		`{{.yes}}`:                          "true",
		`{{.time}}`:                         "2026-01-02T03:04:05+01:00",
		`{{.time.Year}}`:                    "2026",
		`{{.bytes}} {{.blob}} {{.vector}}`:  "bytes /w== [1,0.5]",
		`{{.address}}`:                      `{"zip": "00100", "city": "Roma", "at": {"y": 2, "x": 1.50}, "none": null}`,
		`{{.address.city}}`:                 "Roma",
		`{{.address.at.x}}`:                 "1.50",
		`[{{.address.none}}]`:               "[]",
		`{{with .address}}{{.city}}{{end}}`: "Roma",
		`{{index .address "zip"}}`:          "00100",
		`{{.tags}}`:                         `["a", 2]`,
		`{{range .tags}}<{{.}}>{{end}}`:     "<a><2>",
		`{{range $i, $t := .tags}}{{$i}}{{$t}} {{$.int}};{{end}}`:                                 "0a 5;12 5;",
		`{{range .nothing}}x{{else}}none{{end}}`:                                                  "none",
		`{{if .nothing}}yes{{else}}no{{end}}`:                                                     "no",
		`{{if and .yes (not .empty)}}yes{{end}}`:                                                  "yes",
		`{{$a := .address}}{{$a.city}}`:                                                           "Roma",
		`{{$r := .}}{{with .address}}{{$r.int}}{{end}}`:                                           "5",
		`{{with .}}{{.int}}{{end}}`:                                                               "5",
		`{{range 3}}{{.}}{{end}}`:                                                                 "012",
		`{{range .int}}{{if eq . 1}}{{continue}}{{end}}{{if eq . 3}}{{break}}{{end}}{{.}}{{end}}`: "02",
		`{{len .tags}}`:                                             "2",
		"  {{- .int -}}  x":                                         "5x",
		`{{/* a comment */}}x`:                                      "x",
		`{{json .text}}`:                                            `"a <b> & \"c\" ü"`,
		`{{json .nothing}}`:                                         "null",
		`{{json .digits}} {{json .million}}`:                        "1.50 1000000",
		`{{json .tags}}`:                                            `["a", 2]`,
		`{{json (index .tags 0)}}`:                                  `"a"`,
		`{{json .address.at}}`:                                      `{"x":1.50,"y":2}`,
		`{{.csv | printf "%s%03d" .text}}`:                          "a <b> & \"c\" ü004",
		`{{printf "%.2f %v %s" .float .nothing .address.at}}`:       `0.50  {"x":1.50,"y":2}`,
		`{{printf "%5d|%-5s|%x|%t|%%" .int "a" "hi" .yes}}`:         "    5|a    |6869|true|%",
		`{{printf "%s!" "50%"}} {{printf "%%%s!" ""}}`:              "50%! %!",
		`{{print .int " " .million .nothing}}{{println .yes .csv}}`: "5 1000000true 4\n",
		`{{trim " a\n"}}{{.text | upper}}{{lower "ÄB"}}`:            "aA <B> & \"C\" Üäb",
		`{{truncate 3 "äöüß"}}{{"ab" | truncate 3}}{{truncate 0 .text}}{{truncate -1 .text}}`:                             "äöüab",
		`{{.nothing | default "x"}}{{.empty | default "y"}}{{.yes | default "z"}}{{default 1 0}}`:                         "xytrue0",
		`{{if eq .int 5}}a{{end}}{{if eq .csv 4}}b{{end}}{{if eq .float .csv}}c{{end}}`:                                   "ab",
		`{{if gt .csv 3}}a{{end}}{{if lt .float 1}}b{{end}}{{if ge .digits 1.5}}c{{end}}{{if le 10 .csv}}d{{end}}`:        "abc",
		`{{if eq .nothing ""}}a{{end}}{{if ne .text "b"}}b{{end}}{{if eq .csv "1" "4"}}c{{end}}{{if eq .text 1}}d{{end}}`: "abc",
		`{{if lt .time "2027"}}a{{end}}{{if eq .yes true}}b{{end}}{{if gt .big 4611686018427387904}}c{{end}}`:             "abc",
	} {
		rows := &table{columns: thing().Columns, unit: "line", rows: []any{thing(), thing()}}
		src := mustRows(t, rows, source.RowOptions{Prompt: template + "."})
		for range 2 { // nothing stays of the row before
			require.Equal(t, want+".", asked(t, src), template)
		}
	}
}

func TestAWholeRowPrintsAsItsJSON(t *testing.T) {
	want, err := thing().MarshalJSON()
	require.NoError(t, err)
	for _, template := range []string{"{{json .}}", "{{.}}", "{{. | json}}", "{{with $}}{{json $}}{{end}}"} {
		rows := &table{columns: thing().Columns, unit: "line", rows: []any{thing()}}
		require.Equal(t, string(want), asked(t, mustRows(t, rows, source.RowOptions{Prompt: template})))
	}
}

func TestATemplateThatCannotBeReadIsRefusedInPlainWords(t *testing.T) {
	for template, want := range map[string]string{
		"a\nb {{.x":             "line 2: unclosed action",
		"a\n{{if .x}}\nb":       "line 3: the template ends before the {{end}} of an if, range or with",
		"{{.x\n\n| | trim }}":   "line 3: unexpected \"|\" in command",
		"{{end}}":               "line 1: unexpected {{end}}",
		"{{review}}":            `line 1: there is no function "review"; a column is {{.review}}, or {{index . "its name"}}`,
		"{{.my column}}":        `line 1: there is no function "column"; a column is {{.column}}, or {{index . "its name"}}`,
		"{{$x}}":                `line 1: undefined variable "$x"`,
		"a\n{{template \"a\"}}": "line 2: {{template}} and {{block}} are not for prompts",
		"{{define \"a\"}}{{template \"a\"}}{{end}}\n{{block \"b\" .}}{{end}}": "line 2: {{template}} and {{block}} are not for prompts",
		"{{html .x}}":   `function "html" is not for prompts`,
		"{{_print .x}}": `line 1: there is no function "_print"`,
		"{{." + strings.Repeat("x", 1000) + " := 1}}": "line 1: ",
	} {
		for option, set := range map[string]source.RowOptions{
			"prompt: ":        {Prompt: template},
			"system prompt: ": {Prompt: "a", SystemPrompt: template},
		} {
			_, err := source.Rows(texts("x"), set)
			require.ErrorContains(t, err, option+want, template)
			require.NotContains(t, err.Error(), "template: ")
			require.Less(t, len(err.Error()), 300)
		}
		_, err := source.PromptColumns(template)
		require.ErrorContains(t, err, "prompt: "+want)
	}
}

func TestARowThatItsPromptDoesNotFitFailsAlone(t *testing.T) {
	for template, want := range map[string]string{
		"{{.nothing}} \n":                 "the prompt is empty",
		"{{.address.street}}":             `prompt: line 1, {{.address.street}}: there is no "street"`,
		"a\n\n{{.text.city}}":             `prompt: line 3, {{.text.city}}: there is no "city"`,
		"{{.nothing.city}}":               `prompt: line 1, {{.nothing.city}}: there is no "city"`,
		"{{.address.none.city}}":          `prompt: line 1, {{.address.none.city}}: there is no "city"`,
		"{{range .tags}}{{.name}}{{end}}": `prompt: line 1, {{.name}}: there is no "name"`,
		"{{range .text}}{{end}}":          `prompt: line 1, {{.text}}: range can't iterate over a <b>`,
		"{{index .tags 7}}":               `prompt: line 1, {{index .tags 7}}: `,
		"{{if gt .text 3}}{{end}}":        `want a number, got "a <b>`,
		`{{printf "%d" .text}}`:           `%d: want a whole number, got "a <b>`,
		`{{printf "%.1f" .nothing}}`:      `%f: want a number, got ""`,
		`{{printf "%s"}}`:                 "the format doesn't fit the values: %!s(MISSING)",
		`{{printf "%y %s" .int .text}}`:   "printf: there is no %y",
		`{{printf "%*d" 3 .int}}`:         "the format doesn't fit the values: %!(BADWIDTH)",
		`{{truncate "a" .text}}`:          "prompt: line 1, ",
		`{{json 1i}}`:                     "prompt: line 1, ",
		`{{.text.x "%d"}}`:                "prompt: line 1, ",
		`{{len .int}}`:                    "prompt: line 1, ",
	} {
		rows := &table{columns: thing().Columns, unit: "line", rows: []any{thing(), thing()}}
		src := mustRows(t, rows, source.RowOptions{Prompt: template})
		for _, place := range []string{"line 1: ", "line 2: "} {
			got := failure(t, src)
			require.True(t, strings.HasPrefix(got, place), got)
			require.Contains(t, got, want, template)
			require.NotContains(t, got, "interface {}")
		}
	}
}

func TestPromptColumns(t *testing.T) {
	for template, want := range map[string][]string{
		"":                                      {},
		"a {{.b}} {{.a}}{{.b}}":                 {"b", "a"},
		`{{index . "my column"}}{{index .t 0}}`: {"my column", "t"},
		"{{if .a}}{{.b}}{{else if .c}}{{.d}}{{else}}{{.e}}{{end}}":            {"a", "b", "c", "d", "e"},
		"{{with .a}}{{.x}}{{$.b}}{{else with .c}}{{.y}}{{else}}{{.d}}{{end}}": {"a", "b", "c", "d"},
		"{{range $i, $e := .a}}{{$i}}{{$e.x}}{{.x}}{{end}}{{.b}}":             {"a", "b"},
		"{{$x := .a}}{{$x.x}}{{$y := .}}{{$y.b}}{{($y).c.x}}":                 {"a", "b", "c"},
		"{{.a.b.c}}{{(.d).e}}{{printf \"%s\" .f}}":                            {"a", "d", "f"},
		"{{range .a}}{{$ := .}}{{end}}{{$x := $}}{{$x.b}}":                    {"a", "b"},
		"{{json .}}":                    nil,
		"{{.}}":                         nil,
		"{{.a}}{{range .}}{{end}}":      nil,
		"{{index . .a}}":                nil,
		"{{$x := 1}}{{$x = .}}{{$x.a}}": nil,
		"{{$x := .}}{{if .a}}{{$x = .b}}{{end}}{{$x.c}}": nil,
		"{{with or . 1}}{{.a}}{{end}}":                   nil,
		"{{. | json}}":                                   nil,
		"{{$ | json}}":                                   nil,
	} {
		got, err := source.PromptColumns(template)
		require.NoError(t, err, template)
		require.Equal(t, want, got, template)
	}
}

func TestWhatIsNotTheRowMayHaveAnyField(t *testing.T) {
	for _, template := range []string{
		"{{range $k, $v := .}}{{$k}} {{$v.a}}{{end}}", "{{range .}}{{.a}}{{end}}", "{{with .json}}{{.a}}{{end}}",
		"{{with $x := .json}}{{$x.a}}{{end}}", "{{$x := .}}{{$x = .json}}{{$x.a}}", "{{with index . \"json\"}}{{.a}}{{end}}",
	} {
		src := mustRows(t, texts("json", []any{json.RawMessage(`{"a":"b"}`)}), source.RowOptions{Prompt: template})
		require.Contains(t, asked(t, src), "b", template)
	}
}

func TestAnyTextReachesThePromptAsItIs(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.String().Draw(rt, "text")
		src, err := source.Rows(texts("my column", []any{text}), source.RowOptions{
			Prompt: `<{{index . "my column"}}|{{with $x := index . "my column"}}{{$x}}{{end}}>`,
		})
		require.NoError(rt, err)
		item, err := src.Next(t.Context())
		require.NoError(rt, err)
		require.Equal(rt, fmt.Sprintf("<%s|%s>", text, text), item.Request.UserMessage)
	})
}
