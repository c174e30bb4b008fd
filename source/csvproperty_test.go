package source_test

import (
	"bytes"
	"encoding/csv"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/gluepipe/gluepipe/source"
)

func TestAnyTableReadsBackAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.OneOf(rapid.RuneFrom([]rune("\",;\t|\n ab")), rapid.Rune())).
			Filter(func(s string) bool { return !strings.ContainsAny(s, "\r\uFEFF") }) // what writers of CRLF and readers leave out
		width := rapid.IntRange(1, 5).Draw(t, "width")
		comma := rapid.SampledFrom([]rune(",;\t|^")).Draw(t, "comma")
		name := text.Filter(func(s string) bool { return s != "" })
		header := rapid.SliceOfNDistinct(name, width, width, rapid.ID[string]).Draw(t, "header")
		table := rapid.SliceOf(rapid.SliceOfN(text, width, width)).Draw(t, "table")

		var written bytes.Buffer
		w := csv.NewWriter(&written)
		w.Comma, w.UseCRLF = comma, rapid.Bool().Draw(t, "crlf")
		require.NoError(t, w.Write(header))
		require.NoError(t, w.WriteAll(table))

		rows, err := source.CSV(&written, source.CSVOptions{Comma: comma})
		require.NoError(t, err)
		require.Equal(t, header, columnNames(rows))
		for _, want := range table {
			if width == 1 && want[0] == "" {
				continue // a blank line
			}
			row, err := rows.Next(t.Context())
			require.NoError(t, err)
			for i := range want {
				require.Equal(t, want[i], row.Values[i])
			}
		}
		_, err = rows.Next(t.Context())
		require.Equal(t, io.EOF, err)
	})
}

func BenchmarkCSV(b *testing.B) {
	line := []byte("123456,\"What is the capital of France, and of which \"\"other\"\" countries?\",geography,4.5,2026-01-01\n")
	b.Run("source", func(b *testing.B) {
		rows, err := source.CSV(io.MultiReader(strings.NewReader("a,b,c,d,e\n"), &repeated{line: line}), source.CSVOptions{})
		require.NoError(b, err)
		b.SetBytes(int64(len(line)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := rows.Next(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding", func(b *testing.B) {
		rows := csv.NewReader(&repeated{line: line})
		b.SetBytes(int64(len(line)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := rows.Read(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
