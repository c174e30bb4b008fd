package source_test

import (
	"bytes"
	"context"
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

func TestObjectsConform(t *testing.T) {
	sourcetest.Run(t, func(t *testing.T, requests []batch.Request) batch.Source {
		t.Helper()
		return objectRequests{source.Objects(bytes.NewReader(linesOf(t, requests)), source.ObjectsOptions{})}
	})
}

func TestOpenObjectsConforms(t *testing.T) {
	sourcetest.Run(t, func(t *testing.T, requests []batch.Request) batch.Source {
		t.Helper()
		rows, err := source.OpenObjects(writeFile(t, string(linesOf(t, requests))), source.ObjectsOptions{})
		require.NoError(t, err)
		return objectRequests{rows}
	})
}

func TestObjectsKeepTheOrderAndTheTypesOfTheirFields(t *testing.T) {
	rows := source.Objects(strings.NewReader("\uFEFF{\"z\":\"ü\",\"a\":12,\"f\":1.50,\"b\":true,\"n\":null,\"o\":{\"x\":[1]},\"a\":13}\r\n\n \r\n{}\n"),
		source.ObjectsOptions{})
	require.Nil(t, rows.Columns())
	row, err := rows.Next(t.Context())
	require.NoError(t, err)
	require.Equal(t, source.TableRow{Number: 1, Unit: "line", Row: &batch.Row{
		Columns: []batch.Column{
			{Name: "z", Type: batch.TextColumn},
			{Name: "a", Type: batch.IntColumn},
			{Name: "f", Type: batch.FloatColumn},
			{Name: "b", Type: batch.BoolColumn},
			{Name: "n", Type: batch.JSONColumn},
			{Name: "o", Type: batch.JSONColumn},
		},
		Values: []any{"ü", int64(13), json.Number("1.50"), true, nil, json.RawMessage(`{"x":[1]}`)},
	}}, row)
	row, err = rows.Next(t.Context())
	require.NoError(t, err)
	require.Equal(t, 4, row.Number)
	require.Empty(t, row.Columns)
	_, err = rows.Next(t.Context())
	require.Equal(t, io.EOF, err)
}

func TestALineThatIsNoObjectIsSkippedAndToldAbout(t *testing.T) {
	rows := source.Objects(strings.NewReader(strings.Join([]string{
		`{"a":1}`, `{"ü":1, oops}`, `[1]`, `null`, `{"a":1} {}`, "{\"a\":\"\xff\"}", strings.Repeat("x", 101), `{"a":`, `{"a":2}`,
	}, "\n")), source.ObjectsOptions{MaxLineBytes: 100})
	all := allRows(t, rows)
	require.Equal(t, "1: 1", all[0])
	for i, want := range []string{
		"line 2, column 9: invalid character 'o'", "line 3: want a JSON object, got [1]", "line 4: want a JSON object, got null",
		"line 5, column 9: invalid character '{' after top-level value", "line 6, column 7: not valid UTF-8",
		"line 7: longer than the allowed 100 bytes", "line 8, column 5: unexpected end of JSON input",
	} {
		require.Contains(t, all[i+1], want)
	}
	require.Equal(t, "9: 2", all[8])
	require.Len(t, all, 9)
}

func TestLinesConform(t *testing.T) {
	sourcetest.Run(t, func(t *testing.T, requests []batch.Request) batch.Source {
		t.Helper()
		return requestRows{source.Lines(bytes.NewReader(linesOf(t, requests)), source.LinesOptions{})}
	})
}

func TestOpenLinesConforms(t *testing.T) {
	sourcetest.Run(t, func(t *testing.T, requests []batch.Request) batch.Source {
		t.Helper()
		rows, err := source.OpenLines(writeFile(t, string(linesOf(t, requests))), source.LinesOptions{})
		require.NoError(t, err)
		return requestRows{rows}
	})
}

func TestALineOfATextIsARow(t *testing.T) {
	rows := source.Lines(strings.NewReader("\uFEFF a \"quoted\" line \r\n\n\t\nü\xff\n"+strings.Repeat("x", 101)+"\nlast"),
		source.LinesOptions{MaxLineBytes: 100})
	require.Equal(t, []batch.Column{{Name: "text", Type: batch.TextColumn}}, rows.Columns())
	require.Equal(t, []string{
		`1:  a "quoted" line `, "line 4, column 2: not valid UTF-8", "line 5: longer than the allowed 100 bytes", "6: last",
	}, allRows(t, rows))
}

func TestAnErrorOfTheReaderEndsLinesAndObjects(t *testing.T) {
	broken := errors.New("connection reset")
	text := func() io.Reader { return io.MultiReader(strings.NewReader("{}\n{}"), iotest.ErrReader(broken)) }
	for _, rows := range []source.RowReader{
		source.Lines(text(), source.LinesOptions{}), source.Objects(text(), source.ObjectsOptions{}),
	} {
		_, err := rows.Next(t.Context())
		require.NoError(t, err)
		for range 2 {
			_, err = rows.Next(t.Context())
			require.EqualError(t, err, "reading line 2: connection reset")
		}
	}
}

func FuzzObjects(f *testing.F) {
	for _, seed := range linesOnDisk {
		f.Add([]byte(seed))
	}
	f.Add([]byte(`{"a":1,"a":null,"b":-0.0e1,"c":[[]]}`))
	f.Add([]byte(`"ӿ`))
	f.Fuzz(func(t *testing.T, input []byte) {
		options := source.ObjectsOptions{MaxLineBytes: 64}
		events := readTable(t, source.Objects(bytes.NewReader(input), options))
		require.Equal(t, events, readTable(t, source.Objects(iotest.OneByteReader(bytes.NewReader(input)), options)))
		lines := bytes.Split(bytes.TrimPrefix(input, []byte("\uFEFF")), []byte("\n"))
		for i, line := range lines {
			if i < len(lines)-1 {
				line = bytes.TrimSuffix(line, []byte("\r"))
			}
			if len(bytes.TrimSpace(line)) == 0 && len(line) <= 64 {
				continue
			}
			require.NotEmpty(t, events, "line %d is lost", i+1)
			require.Equal(t, i+1, events[0].number)
			requireObject(t, line, events[0])
			events = events[1:]
		}
		require.Empty(t, events)
	})
}

// requireObject says that a row has a value for each field of its object.
func requireObject(t *testing.T, raw []byte, e event) {
	t.Helper()
	if e.err != "" {
		return
	}
	var object map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(raw, &object))
	require.Len(t, e.values, len(object))
}

// objectRequests makes requests again of rows that have their fields.
type objectRequests struct{ source.RowReader }

func (r objectRequests) Next(ctx context.Context) (*batch.Item, error) {
	row, err := r.RowReader.Next(ctx)
	if err != nil {
		return nil, err
	}
	data, err := row.MarshalJSON()
	if err != nil {
		return nil, err
	}
	request := &batch.Request{}
	if err := request.UnmarshalJSON(data); err != nil {
		return nil, err
	}
	return &batch.Item{Origin: origin(row), Request: request}, nil
}
