package source_test

import (
	"context"
	"testing"

	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// sameRow is a table that has one row again and again.
type sameRow struct{ row *batch.Row }

func (r sameRow) Columns() []batch.Column { return r.row.Columns }

func (r sameRow) Next(context.Context) (source.TableRow, error) {
	return source.TableRow{Row: r.row, Number: 1, Unit: "line"}, nil
}

func (sameRow) Close() error { return nil }

func BenchmarkRows(b *testing.B) {
	for name, options := range map[string]source.RowOptions{
		"OneColumn": {Prompt: "Sort this review: {{.text}}"},
		"Template": {
			Prompt:       "{{if .yes}}{{.text | truncate 100}}{{end}}: {{.int}} of {{.million}}, at {{.time}}",
			SystemPrompt: "Speak like {{.text}}.", IDColumn: "int", MetadataColumns: []string{"text", "float"},
		},
		"JSON": {Prompt: "{{.address.city}}{{range .tags}} {{.}}{{end}}"},
	} {
		b.Run(name, func(b *testing.B) {
			src, err := source.Rows(sameRow{thing()}, options)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if item, err := src.Next(b.Context()); err != nil || item.Request == nil {
					b.Fatal(item.Result.Error, err)
				}
			}
		})
	}
}
