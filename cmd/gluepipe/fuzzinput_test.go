package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// FuzzAnyInputIsReadToItsEnd says of any text, under any name, that it is refused in words or read to its end.
func FuzzAnyInputIsReadToItsEnd(f *testing.F) {
	for _, seed := range []struct{ name, text string }{
		{"in", ""},
		{"in.csv", "a,b\n1,2\n"},
		{"in.csv", "a,b\n\"1,2\n"},
		{"in.tsv", "a\tb\n1\t2\n"},
		{"in.json", `[{"a": 1}]`},
		{"in.jsonl", `{"a": 1}`},
		{"in.jsonl", `{"custom_id": "a", "body": {"messages": []}}`},
		{"in.txt", "one\ntwo"},
		{"in", "\x1f\x8b"},
		{"in", "\x28\xb5\x2f\xfd"},
		{"in.parquet", "PAR1PAR1"},
		{"in", "\uFEFF[1]"},
		{"in.db", "x"},
		{"in", "{"},
	} {
		f.Add(seed.name, seed.text, "{{.a}}")
		f.Add(seed.name, seed.text, "")
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, name, text, prompt string) {
		if strings.HasPrefix(prompt, "@") {
			return
		}
		path := filepath.Join(dir, "in"+filepath.Ext(filepath.Base(name)))
		if os.WriteFile(path, []byte(text), 0o600) != nil {
			return // no name of a file
		}
		defer os.Remove(path)
		s := defaultSettings()
		s.prompt, s.output = prompt, "out.parquet"
		a := &app{stdio: stdio{strings.NewReader(""), io.Discard, io.Discard}}
		in, err := a.openInput(t.Context(), s, path, func(*batch.Item) {})
		if err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		for err == nil {
			_, err = in.Next(t.Context())
		}
		require.NoError(t, in.Close())
	})
}
