package source_test

import (
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/source"
)

func TestAPromptWithoutEndFailsItsRow(t *testing.T) {
	for template, want := range map[string]string{
		"{{range 10000000000000}}{{end}}":                                                "its loops take more than 250,000 turns",
		"{{range 2000}}{{range 2000}}{{end}}{{end}}":                                     "its loops take more than 250,000 turns",
		"{{range .n}}{{if false}}{{end}}{{continue}}{{end}}":                             "its loops take more than 250,000 turns",
		"{{range 100000}}{{$.long}}{{end}}":                                              "it prints more than 16 MiB",
		`{{$x := .long}}{{range 100}}{{$x = printf "%s%s" $x $x}}{{end}}`:                "it prints more than 16 MiB",
		`{{$x := .long}}{{range 100}}{{$x = print $x $x}}{{end}}`:                        "it prints more than 16 MiB",
		`{{$x := .long}}{{range 100}}{{$x = json (println $x $x)}}{{end}}`:               "it prints more than 16 MiB",
		`{{$x := json .long}}{{range 100}}{{$x = json $x}}{{end}}`:                       "it prints more than 16 MiB",
		`{{$f := "%1000000[1]d"}}{{range 10}}{{$f = print $f $f}}{{end}}{{printf $f 1}}`: "it prints more than 16 MiB",
		`{{$f := "%[1]v"}}{{range 15}}{{$f = print $f $f}}{{end}}{{printf $f .long}}`:    "it prints more than 16 MiB",
	} {
		src := mustRows(t, texts("long,n", []any{strings.Repeat(`"`, 1000), int64(1 << 62)}), source.RowOptions{Prompt: template + "x"})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		require.Contains(t, failure(t, src), want, template)
		runtime.ReadMemStats(&after)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(800<<20), template)
	}
}

func TestAPromptIsAtMost16MiB(t *testing.T) {
	for length, want := range map[int]bool{16 << 20: true, 16<<20 + 1: false} {
		src := mustRows(t, texts("text", []any{strings.Repeat("a", length)}), source.RowOptions{Prompt: "{{.text}}"})
		require.Equal(t, want, next(t, src).Result == nil)
	}
}
