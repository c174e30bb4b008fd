package source_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/source/sourcetest"
	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestGlobConforms(t *testing.T) {
	sourcetest.Run(t, func(t *testing.T, requests []batch.Request) batch.Source {
		t.Helper()
		if len(requests) == 0 {
			return source.Slice(nil) // no file is an error
		}
		dir := t.TempDir()
		for i, r := range requests {
			data, err := r.MarshalJSON()
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%06d.txt", i)), data, 0o600))
		}
		rows, err := source.Glob(dir+"/*.txt", source.GlobOptions{Text: true})
		require.NoError(t, err)
		return requestRows{rows}
	})
}

func TestAPatternFindsFilesAsAShellDoes(t *testing.T) {
	t.Chdir(files(t, "b.md", "a.md", "a.txt", ".hidden.md", "docs/c.md", "docs/deep/er/d.md", "docs/.git/e.md", "x[1].md"))
	for pattern, want := range map[string][]string{
		"*.md":            {"a.md", "b.md", "x[1].md"},
		"a.*":             {"a.md", "a.txt"},
		"./*/c.md":        {"./docs/c.md"},
		"**/*.md":         {"a.md", "b.md", "docs/c.md", "docs/deep/er/d.md", "x[1].md"},
		"docs/**":         {"docs/c.md", "docs/deep/er/d.md"},
		"docs/**/*":       {"docs/c.md", "docs/deep/er/d.md"},
		"**/er/**/d.md":   {"docs/deep/er/d.md"},
		"**/**/**/**/*":   {"a.md", "a.txt", "b.md", "docs/c.md", "docs/deep/er/d.md", "x[1].md"},
		"**/d*/**/*.md":   {"docs/c.md", "docs/deep/er/d.md"},
		".*.md":           {".hidden.md"},
		"docs/.git/*":     {"docs/.git/e.md"},
		`x\[1\].md`:       {"x[1].md"},
		"[ab].md":         {"a.md", "b.md"},
		"docs//deep/*/d*": {"docs/deep/er/d.md"},
	} {
		require.Equal(t, want, paths(t, pattern), pattern)
	}
	wd, err := os.Getwd()
	require.NoError(t, err)
	require.Equal(t, []string{wd + "/docs/c.md"}, paths(t, wd+"/d*/*.md"))
}

func TestAPatternThatFindsNothingIsAnError(t *testing.T) {
	t.Chdir(files(t, "a.md"))
	for pattern, want := range map[string]string{
		"*.txt": "no file matches", "no/such/*.md": "no file matches", "a.md/*": "no file matches", "": "no file matches",
		"[a.md": "a bracket or a backslash that isn't complete", "x/[": "a bracket or a backslash that isn't complete",
	} {
		_, err := source.Glob(pattern, source.GlobOptions{})
		require.EqualError(t, err, fmt.Sprintf("pattern %q: %s", pattern, want))
	}
}

func TestAFileIsARowWithItsPathAndItsText(t *testing.T) {
	dir := files(t, "a.txt", "b.txt")
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, err := io.WriteString(w, "\uFEFFpacked\r\n")
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, os.WriteFile(dir+"/b.txt", packed.Bytes(), 0o600))

	rows, err := source.Glob(dir+"/*", source.GlobOptions{Text: true})
	require.NoError(t, err)
	require.Equal(t, []batch.Column{{Name: "path"}, {Name: "text"}}, rows.Columns())
	require.Equal(t, 2, rows.(interface{ Len() int }).Len())
	require.Equal(t, []string{
		"1: " + dir + "/a.txt|This is a.txt.", "2: " + dir + "/b.txt|packed\r\n",
	}, allRows(t, rows))

	rows, err = source.Glob(dir+"/*", source.GlobOptions{})
	require.NoError(t, err)
	require.Equal(t, []batch.Column{{Name: "path"}}, rows.Columns())
	require.Equal(t, []string{"1: " + dir + "/a.txt", "2: " + dir + "/b.txt"}, allRows(t, rows))
	require.NoError(t, rows.Close())
}

func TestAFileThatCannotBeReadIsToldAbout(t *testing.T) {
	dir := files(t, "a", "b/c", "d", "e", "f", "g", "h")
	require.NoError(t, os.WriteFile(dir+"/d", []byte("\xff"), 0o600))
	require.NoError(t, os.WriteFile(dir+"/e", []byte("\xff\xfea\x00"), 0o600))
	require.NoError(t, os.WriteFile(dir+"/f", []byte(strings.Repeat("x", 101)), 0o600))
	require.NoError(t, os.Symlink("nowhere", dir+"/link"))
	rows, err := source.Glob(dir+"/*", source.GlobOptions{Text: true, MaxFileBytes: 100})
	require.NoError(t, err)
	require.NoError(t, os.Remove(dir+"/g"))
	require.Equal(t, []string{
		"1: " + dir + "/a|This is a.", "row 2: " + dir + "/b: a folder, and not a file", "row 3: " + dir + "/d: not valid UTF-8",
		"row 4: " + dir + "/e: the text is UTF-16: make it UTF-8 first", "row 5: " + dir + "/f: larger than the allowed 100 bytes",
		"row 6: " + dir + "/g: no such file or directory", "7: " + dir + "/h|This is h.",
		"row 8: " + dir + "/link: no such file or directory",
	}, allRows(t, rows))
}

func TestLinksThatLeadBackDoNotHangAPattern(t *testing.T) {
	dir := files(t, "a/b.md")
	require.NoError(t, os.Symlink("..", dir+"/a/up"))
	require.NoError(t, os.Symlink("self", dir+"/self"))
	require.Equal(t, []string{dir + "/a/b.md"}, paths(t, dir+"/**/*.md"))
	require.Equal(t, []string{dir + "/a/up/a/b.md"}, paths(t, dir+"/a/*/a/*.md"))
}

func files(tb testing.TB, names ...string) string {
	tb.Helper()
	dir := tb.TempDir()
	for _, name := range names {
		path := filepath.Join(dir, name)
		require.NoError(tb, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(tb, os.WriteFile(path, []byte("This is "+filepath.Base(name)+"."), 0o600))
	}
	return dir
}

func paths(tb testing.TB, pattern string) []string {
	tb.Helper()
	rows, err := source.Glob(pattern, source.GlobOptions{})
	require.NoError(tb, err, pattern)
	var found []string
	for {
		row, err := rows.Next(tb.Context())
		if err == io.EOF {
			return found
		}
		require.NoError(tb, err, pattern)
		found = append(found, row.Value("path").(string))
	}
}
