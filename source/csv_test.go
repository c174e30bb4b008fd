package source_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/source/sourcetest"
	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestCSVConforms(t *testing.T) {
	sourcetest.Run(t, func(t *testing.T, requests []batch.Request) batch.Source {
		t.Helper()
		rows, err := source.CSV(strings.NewReader(csvOf(t, requests)), source.CSVOptions{})
		require.NoError(t, err)
		return requestRows{rows}
	})
}

func TestOpenCSVConforms(t *testing.T) {
	sourcetest.Run(t, func(t *testing.T, requests []batch.Request) batch.Source {
		t.Helper()
		rows, err := source.OpenCSV(writeFile(t, csvOf(t, requests)), source.CSVOptions{})
		require.NoError(t, err)
		return requestRows{rows}
	})
}

func TestCSVToleratesHowPeopleWriteTables(t *testing.T) {
	rows := openCSV(t, "\uFEFF\r\nid, name,\"a \"\"b\"\"\nc\"\r\n"+
		"1, x ,\"two\r\nlines\"\r\n\r\n2,\"say \"\"hi\"\"\",\n\n3,ü,\"\"\n\n\r\n\n")
	require.Equal(t, []batch.Column{{Name: "id"}, {Name: " name"}, {Name: "a \"b\"\nc"}}, rows.Columns())
	for _, want := range []struct {
		number int
		values []any
	}{
		{4, []any{"1", " x ", "two\nlines"}},
		{7, []any{"2", `say "hi"`, ""}},
		{9, []any{"3", "ü", ""}},
	} {
		row, err := rows.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, want.number, row.Number)
		require.Equal(t, "line", row.Unit)
		require.Equal(t, want.values, row.Values)
		require.Equal(t, rows.Columns(), row.Columns)
	}
	for range 2 {
		_, err := rows.Next(t.Context())
		require.Equal(t, io.EOF, err)
	}
}

func TestABadRecordCostsItsFirstLineOnly(t *testing.T) {
	for name, c := range map[string]struct {
		lines []string
		want  []string
	}{
		"stray quote": {
			[]string{`5" pipe,x`, `1,2`},
			[]string{`line 2, column 2: a quote in a field that doesn't begin with one`, `3: 1|2`},
		},
		"text behind a quote": {
			[]string{`ü,"a"b`, `1,2`},
			[]string{`line 2, column 5: text behind the quote that closes a field`, `3: 1|2`},
		},
		"quote never closed": {
			[]string{`1,2`, `ü,"x`, `3,4`, ``, `5,6`},
			[]string{`2: 1|2`, `line 3, column 3: the quote is never closed`, `4: 3|4`, `6: 5|6`},
		},
		"quote never closed in the last line": {
			[]string{`1,2`, `"",""""",""`, `""`},
			[]string{
				`2: 1|2`, `line 3, column 4: the quote is never closed`,
				`line 4: want 2 fields, as in the header, got 1`,
			},
		},
		"quote closed by that of a later line": {
			[]string{`1,"x`, `2,"good","better"`, `3,4`, `5,6`, `"7",8`},
			[]string{
				`line 2, column 3: the quote opens a field that ends in line 3: text behind the quote that closes a field`,
				`line 3, column 10: want 2 fields, as in the header, got 3`, `4: 3|4`, `5: 5|6`, `6: 7|8`,
			},
		},
		"quote closed by that of a later line, which makes a record": {
			[]string{`1,"x`, `2,3`, `4,5"`, `6,7`},
			[]string{"2: 1|x\n2,3\n4,5", `5: 6|7`},
		},
		"later line with a stray quote": {
			[]string{`1,"x`, `y",z"z`, `3,4`},
			[]string{
				`line 2, column 3: the quote opens a field that ends in line 3: a quote in a field that doesn't begin with one`,
				`line 3, column 2: a quote in a field that doesn't begin with one`, `4: 3|4`,
			},
		},
		"too few fields":                {[]string{`1`, `2,3`}, []string{`line 2: want 2 fields, as in the header, got 1`, `3: 2|3`}},
		"too many fields":               {[]string{`ü,2,3,4`, `2,3`}, []string{`line 2, column 5: want 2 fields, as in the header, got 4`, `3: 2|3`}},
		"too many fields in more lines": {[]string{"1,\"2\n3\",4", `5,6`}, []string{`line 2: want 2 fields, as in the header, got 3`, `line 3, column 2: a quote in a field that doesn't begin with one`, `4: 5|6`}},
		"too long":                      {[]string{strings.Repeat("x", 401), `2,3`}, []string{`line 2: longer than the allowed 400 bytes`, `3: 2|3`}},
		"too long by a quote": {
			[]string{`1,"`, strings.Repeat("x", 390) + ",1", "2,3", "4,5", "6,7"},
			[]string{`line 2, column 3: the quote isn't closed within the allowed 400 bytes`, "3: " + strings.Repeat("x", 390) + "|1", "4: 2|3", "5: 4|5", "6: 6|7"},
		},
		"not UTF-8": {[]string{"ü,\xff", "1,2"}, []string{`line 2, column 3: not valid UTF-8`, `3: 1|2`}},
		"not UTF-8 in a later line": {
			[]string{"1,\"a\nü\xff\"", "1,2"},
			[]string{`line 2: not valid UTF-8 in line 3, column 2`, `4: 1|2`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, end := range []string{"\n", "\r\n"} {
				text := "a,b" + end + strings.Join(c.lines, end)
				rows, err := source.CSV(strings.NewReader(text), source.CSVOptions{MaxRecordBytes: 400})
				require.NoError(t, err)
				require.Equal(t, c.want, allRows(t, rows))
			}
		})
	}
}

func TestAStrayQuoteCostsItsLineHoweverFarTheNextQuoteIs(t *testing.T) {
	const lines, stray = 100_000, 70_000
	var text strings.Builder
	text.WriteString("id,text\n")
	for n := 2; n <= lines; n++ {
		if n == stray {
			fmt.Fprintf(&text, "%d,\"opens\n", n)
			continue
		}
		fmt.Fprintf(&text, "%d,fine\n", n)
	}
	text.WriteString("x,\"quoted\"\n")
	for name, r := range map[string]io.Reader{
		"at once":      strings.NewReader(text.String()),
		"in small":     iotest.HalfReader(strings.NewReader(text.String())),
		"with the end": iotest.DataErrReader(strings.NewReader(text.String())),
	} {
		rows, err := source.CSV(r, source.CSVOptions{})
		require.NoError(t, err)
		for n := 2; n <= lines; n++ {
			row, err := rows.Next(t.Context())
			if n == stray {
				bad, ok := errors.AsType[*source.RowError](err)
				require.True(t, ok, name)
				require.Equal(t, stray, bad.Number)
				require.Equal(t, `70000,"opens`, string(bad.Raw))
				require.ErrorContains(t, bad, "line 70000, column 7: the quote opens a field that ends in line 100001")
				continue
			}
			require.NoError(t, err)
			require.Equal(t, n, row.Number)
			require.Equal(t, fmt.Sprint(n), row.Values[0])
		}
		row, err := rows.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, []any{"x", "quoted"}, row.Values)
	}
}

func TestARecordWithoutAnEndIsSkippedInLittleMemory(t *testing.T) {
	for name, begin := range map[string]string{"a line": "1,", "a quoted field": "1,\"\n"} {
		t.Run(name, func(t *testing.T) {
			text := io.MultiReader(strings.NewReader("a,b\n"+begin), io.LimitReader(endless('a'), 64<<20), strings.NewReader("\n1,2\n"))
			rows, err := source.CSV(text, source.CSVOptions{MaxRecordBytes: 1 << 20})
			require.NoError(t, err)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err = rows.Next(t.Context())
			for err != nil {
				_, ok := errors.AsType[*source.RowError](err)
				require.True(t, ok, err)
				_, err = rows.Next(t.Context())
			}
			runtime.ReadMemStats(&after)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(16<<20))
		})
	}
}

func TestAnErrorOfTheReaderEndsATableAndATornRecordIsNoRow(t *testing.T) {
	broken := errors.New("connection reset")
	for rest, where := range map[string]string{"1,2": "line 3", "1,\"2\n3,4\n": "line 3"} {
		rows, err := source.CSV(io.MultiReader(strings.NewReader("a,b\n1,2\n"+rest), iotest.ErrReader(broken)), source.CSVOptions{})
		require.NoError(t, err)
		_, err = rows.Next(t.Context())
		require.NoError(t, err)
		for range 2 {
			_, err := rows.Next(t.Context())
			require.ErrorIs(t, err, broken)
			require.EqualError(t, err, "reading "+where+": connection reset")
		}
	}
	_, err := source.CSV(iotest.ErrReader(broken), source.CSVOptions{})
	require.EqualError(t, err, "reading the header: connection reset")
}

func TestErrorsOfATableNameItsFileOnce(t *testing.T) {
	_, err := source.OpenCSV("no/such.csv", source.CSVOptions{})
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "no/such.csv")

	dir := t.TempDir()
	_, err = source.OpenCSV(dir, source.CSVOptions{})
	require.ErrorContains(t, err, "reading "+dir+": the header: ")
	require.Equal(t, 1, strings.Count(err.Error(), dir))

	path := writeFile(t, "id,id\n")
	_, err = source.OpenCSV(path, source.CSVOptions{})
	require.EqualError(t, err, "reading "+path+`: the header: columns 1 and 2 are both named "id": rename one`)
}
