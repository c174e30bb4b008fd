package source_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/source"
)

func TestTheHeaderTellsWhatStandsBetweenTheFields(t *testing.T) {
	for header, want := range map[string][]string{
		"id,name;x,y":           {"id", "name;x", "y"},
		"id\tname, first\tlast": {"id", "name, first", "last"},
		"id;name":               {"id", "name"},
		"id|name":               {"id", "name"},
		"a,b;c":                 {"a", "b;c"},
		"a;b\tc":                {"a;b", "c"},
		"one":                   {"one"},
		`"a,b,c";"d"`:           {"a,b,c", "d"},
		"\"a;b\nc\",d":          {"a;b\nc", "d"},
	} {
		require.Equal(t, want, columnNames(openCSV(t, header+"\n")), header)
	}
	rows, err := source.CSV(strings.NewReader("a,b;c\n1,2;3"), source.CSVOptions{Comma: ';'})
	require.NoError(t, err)
	require.Equal(t, []string{"a,b", "c"}, columnNames(rows))
}

func TestAHeaderThatNamesNoColumnsIsRefused(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"nothing":     {"", "reading the header: the text is empty: want a header line with the names of the columns"},
		"blank lines": {"\n\r\n", "reading the header: the text is empty: want a header line with the names of the columns"},
		"two names":   {"id,name,id\n", `reading the header: columns 1 and 3 are both named "id": rename one`},
		"no name":     {"id,,name\n", "reading the header: column 2 has no name: give it one"},
		"UTF-16":      {"\xff\xfei\x00d\x00\n\x00", "reading the header: the text is UTF-16: make it UTF-8 first"},
		"big-endian":  {"\xfe\xff\x00i\x00d\x00\n", "reading the header: the text is UTF-16: make it UTF-8 first"},
		"not UTF-8":   {"id,n\xe9\n", "reading the header: line 1, column 5: not valid UTF-8"},
		"open quote":  {"id,\"name\n1,x\n", "reading the header: line 1, column 4: the quote is never closed"},
		"stray quote": {"\nid,na\"me\n1,x\n", "reading the header: line 2, column 6: a quote in a field that doesn't begin with one"},
		"too long":    {strings.Repeat("x", 101), "reading the header: line 1: longer than the allowed 100 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := source.CSV(strings.NewReader(c.text), source.CSVOptions{MaxRecordBytes: 100})
			require.EqualError(t, err, c.want)
		})
	}
	_, err := source.CSV(strings.NewReader("a\nb\n"), source.CSVOptions{Comma: '"'})
	require.ErrorContains(t, err, "delimiter")
}
