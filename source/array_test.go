package source_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/source/sourcetest"
	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestArrayConforms(t *testing.T) {
	sourcetest.Run(t, func(t *testing.T, requests []batch.Request) batch.Source {
		t.Helper()
		return objectRequests{source.Array(bytes.NewReader(arrayOf(t, requests)), source.ArrayOptions{})}
	})
}

func TestOpenArrayConforms(t *testing.T) {
	sourcetest.Run(t, func(t *testing.T, requests []batch.Request) batch.Source {
		t.Helper()
		rows, err := source.OpenArray(writeFile(t, string(arrayOf(t, requests))), source.ArrayOptions{})
		require.NoError(t, err)
		return objectRequests{rows}
	})
}

func TestJSONArrayConforms(t *testing.T) {
	sourcetest.Run(t, func(t *testing.T, requests []batch.Request) batch.Source {
		t.Helper()
		return source.JSONArray(bytes.NewReader(arrayOf(t, requests)), source.ArrayOptions{})
	})
}

func TestOpenJSONArrayConforms(t *testing.T) {
	sourcetest.Run(t, func(t *testing.T, requests []batch.Request) batch.Source {
		t.Helper()
		src, err := source.OpenJSONArray(writeFile(t, string(arrayOf(t, requests))), source.ArrayOptions{})
		require.NoError(t, err)
		return src
	})
}

func TestAnElementThatIsNoObjectIsSkippedAndToldAbout(t *testing.T) {
	rows := source.Array(strings.NewReader("\uFEFF\r\n [ {\"a\":\"]},\\\"\"},5 ,\n null,\"x\", [1,{}],\n{\"a\":\"ü\xff\"},"+
		`{"a":"`+strings.Repeat("x", 100)+`"}, {} ,{"a":[{}],"a":1}]`+"\n"), source.ArrayOptions{MaxElementBytes: 50})
	require.Nil(t, rows.Columns())
	require.Equal(t, []string{
		`1: ]},"`, "row 2: want a JSON object, got 5", "row 3: want a JSON object, got null", `row 4: want a JSON object, got "x"`,
		"row 5: want a JSON object, got [1,{}]", "row 6: not valid UTF-8 in line 4, column 8",
		"row 7: longer than the allowed 50 bytes", "8: ", "9: 1",
	}, allRows(t, rows))
	require.Empty(t, allRows(t, source.Array(strings.NewReader(" [ ] "), source.ArrayOptions{})))
}

func TestATextThatIsNoJSONArrayEndsTheRunAndSaysWhere(t *testing.T) {
	for text, want := range map[string]string{
		"":                                "reading row 1: want a JSON array, got an empty text",
		" \n":                             "reading row 1: the text ends before its array does",
		"{}":                              "reading row 1: line 1, column 1: want a JSON array, got '{'",
		"\xff\xfe[\x00":                   "reading row 1: the text is UTF-16: make it UTF-8 first",
		"[{},\n{\"ü\":tru}]":              "reading row 2: line 2, column 9: invalid character '}' in literal true",
		"[\n{\"a\":1\n \"b\":2},{}]":      "reading row 1: line 3, column 2: invalid character '\"' after object key:value pair",
		"[{\"a\":\"x},\n{\"b\":\"y\"}]":   "reading row 1: line 1, column 11: invalid character '\\n' in string",
		"[{},{\"a\":[1},{\"a\":2}]}]":     "reading row 2: line 1, column 12: invalid character '}' after array element",
		"[{} {}]":                         "reading row 2: line 1, column 5: want a comma or the end of the array, got '{'",
		"[{},]":                           "reading row 2: line 1, column 5: want an element, got ']'",
		"[{},,{}]":                        "reading row 2: line 1, column 5: want an element, got ','",
		"[,]":                             "reading row 1: line 1, column 2: ",
		"[{}":                             "reading row 2: the text ends before its array does",
		"[{},":                            "reading row 2: the text ends before its array does",
		"[{},\n {\"a\":1":                 "reading row 2: the text ends within the element that begins in line 2, column 2",
		"[{}]\n[]":                        "reading row 2: line 2, column 1: want nothing behind the array, got '['",
		"[nul]":                           "reading row 1: line 1, column ",
		"[}]":                             "reading row 1: line 1, column 2: invalid character '}'",
		"[" + strings.Repeat("[", 20_000): "reading row 1: the text ends within",
	} {
		rows := source.Array(strings.NewReader(text), source.ArrayOptions{})
		var err error
		for err == nil {
			_, err = rows.Next(t.Context())
		}
		require.ErrorContains(t, err, want, "%.50q", text)
		require.NotErrorIs(t, err, io.EOF)
		_, again := rows.Next(t.Context())
		require.Equal(t, err, again)
	}
	path := writeFile(t, "[{}}")
	rows, err := source.OpenArray(path, source.ArrayOptions{})
	require.NoError(t, err)
	defer func() { _ = rows.Close() }()
	_, err = rows.Next(t.Context())
	require.NoError(t, err)
	_, err = rows.Next(t.Context())
	require.EqualError(t, err, "reading "+path+": row 2: line 1, column 4: want a comma or the end of the array, got '}'")
}

func TestAnErrorOfTheReaderEndsAnArray(t *testing.T) {
	broken := errors.New("connection reset")
	for _, text := range []string{"[{}", "[{},", "[{},{"} {
		rows := source.Array(io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken)), source.ArrayOptions{})
		_, err := rows.Next(t.Context())
		require.NoError(t, err)
		_, err = rows.Next(t.Context())
		require.ErrorIs(t, err, broken)
		require.EqualError(t, err, "reading row 2: connection reset")
	}
}

func TestAnObjectOfAnArrayIsThereBeforeTheNextOne(t *testing.T) {
	read, write := io.Pipe()
	defer func() { _ = write.Close() }()
	go func() { _, _ = write.Write([]byte(`[{"a":1}`)) }()
	row, err := source.Array(read, source.ArrayOptions{}).Next(t.Context())
	require.NoError(t, err)
	require.Equal(t, int64(1), row.Value("a"))
}

func TestAnElementThatIsNoRequestFailsAloneAndSaysWhere(t *testing.T) {
	src := source.JSONArray(strings.NewReader(`[{"id":"a","user_message":"x"},{"user_message":"y"},{"timeout":"soon"},7,{}]`),
		source.ArrayOptions{})
	require.Equal(t, "a", next(t, src).Request.ID)
	item := next(t, src)
	require.Equal(t, "row 2", item.Origin)
	require.Equal(t, "row-2", item.Request.ID)
	for _, want := range []string{`row 3: field "timeout": want a number of seconds, got "soon"`, "row 4: want a JSON object, got 7"} {
		item = next(t, src)
		require.Nil(t, item.Request)
		require.ErrorIs(t, item.Result.Err, batch.ErrInvalidRequest)
		require.Contains(t, item.Result.Error, want)
		require.Equal(t, strings.ReplaceAll(item.Origin, " ", "-"), item.Result.ID)
	}
	require.Equal(t, "row-5", next(t, src).Request.ID)
}

// FuzzArray says that what encoding/json takes for an array comes as its elements, and that anything else ends in an error.
func FuzzArray(f *testing.F) {
	for _, seed := range append([]string{"[]", "[{}]", "[{},{}", `[{"a":"]\\"},1,"\"",[[]],{}]`, "[{}{}]", "[1 2]", "[nul,]", "[]]"}, linesOnDisk...) {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		var want []json.RawMessage
		text := bytes.TrimPrefix(input, []byte("\uFEFF"))
		valid := json.Unmarshal(text, &want) == nil && want != nil
		rows := source.Array(bytes.NewReader(input), source.ArrayOptions{MaxElementBytes: 64})
		slow := source.Array(iotest.OneByteReader(bytes.NewReader(input)), source.ArrayOptions{MaxElementBytes: 64})
		for n := 1; ; n++ {
			row, err := rows.Next(t.Context())
			slowRow, slowErr := slow.Next(t.Context())
			require.Equal(t, row, slowRow)
			require.Equal(t, err, slowErr)
			bad, isBad := errors.AsType[*source.RowError](err)
			switch {
			case isBad:
				require.Equal(t, n, bad.Number)
			case err == nil:
				require.Equal(t, n, row.Number)
			case err == io.EOF:
				if valid {
					require.Len(t, want, n-1)
				}
				return
			default:
				require.False(t, valid, "%v", err)
				require.ErrorContains(t, err, "reading row ")
				return
			}
			if valid && err == nil {
				requireObject(t, want[n-1], event{values: row.Values})
			}
		}
	})
}

func BenchmarkArray(b *testing.B) {
	element := []byte(`{"id":123456,"text":"What is the capital of France, and of which \"other\" countries?","stars":4.5},` + "\n")
	rows := source.Array(io.MultiReader(strings.NewReader("["), &repeated{line: element}), source.ArrayOptions{})
	b.SetBytes(int64(len(element)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := rows.Next(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

func arrayOf(tb testing.TB, requests []batch.Request) []byte {
	tb.Helper()
	data, err := json.MarshalIndent(requests, "", "  ")
	require.NoError(tb, err)
	if requests == nil {
		return []byte("[]")
	}
	return data
}
