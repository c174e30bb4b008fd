package source_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/source"
)

var tablesOnDisk = []string{
	"", "a", "a,b\n1,2\n", "\uFEFFa;b\r\n1;2\r\n", "a,b\n1,\"x\n2,3\n4,5\"\n", "a,b\n1,\"x\n2,\"good\"\n3,4\n", "a\n\"\n\"\n\n\"\"\n",
	"a,b\n\xff,1\n1,\"\n\xff\"\n", "\"a\nb\",c\n1,2\n3\n4,5,6\n", "a,b\n\"\"\"\",\"\"\"\n\",\"\"\n", "a\tb\n1\t\"2\"3\n", "a|b\nx\"y|z\n",
	"a,b\r\r\n1,2\r\r\n1,2\r", "a,b\n1,\"\r\n\r\n\"\r\n", "\xff\xfea\x00\n\x00", "a,a\n", "a,\n", "a,b\n" + strings.Repeat("x", 70) + ",1\n1,2\n",
	"a,b\n1,\"" + strings.Repeat("\n", 80) + "\"\n1,2", "a,b\n\"x\n\"\"y\n\"z,1\n", "\n\r\n\na\n\n1\n",
}

// FuzzCSV says that each line that isn't blank is in one row or in one error, whatever stands in it and however the bytes
// come; and that what encoding/csv reads without an error is read as it has it.
func FuzzCSV(f *testing.F) {
	for _, seed := range tablesOnDisk {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		const limit = 64
		for _, options := range []source.CSVOptions{{MaxRecordBytes: limit}, {MaxRecordBytes: -1}} {
			rows, err := source.CSV(bytes.NewReader(input), options)
			slow, slowErr := source.CSV(iotest.OneByteReader(bytes.NewReader(input)), options)
			require.Equal(t, err, slowErr)
			if err != nil {
				require.Less(t, len(err.Error()), 1000)
				continue
			}
			events := readTable(t, rows)
			require.Equal(t, events, readTable(t, slow))
			requireEachLineOnce(t, input, len(rows.Columns()), events)
		}
		requireAsEncodingCSV(t, input)
	})
}

// event is a row or what stands in its place.
type event struct {
	number int
	values []any
	err    string
	raw    string
}

func readTable(t *testing.T, rows source.RowReader) []event {
	t.Helper()
	var events []event
	for {
		row, err := rows.Next(t.Context())
		if err == io.EOF {
			return events
		}
		if err == nil {
			events = append(events, event{number: row.Number, values: row.Values})
			continue
		}
		bad, ok := errors.AsType[*source.RowError](err)
		require.True(t, ok, "%v", err)
		require.GreaterOrEqual(t, bad.Column, 0)
		require.LessOrEqual(t, bad.Column, max(1, utf8.RuneCount(bad.Raw)))
		require.Less(t, len(bad.Error()), 300)
		events = append(events, event{number: bad.Number, err: bad.Error(), raw: string(bad.Raw)})
	}
}

// requireEachLineOnce says that a row is made of the lines up to the next one, and an error of its own line.
func requireEachLineOnce(t *testing.T, input []byte, width int, events []event) {
	t.Helper()
	lines := bytes.SplitAfter(bytes.TrimPrefix(input, []byte("\uFEFF")), []byte("\n"))
	blank := func(line []byte) bool { return len(bytes.TrimRight(line, "\r\n")) == 0 }
	for i, e := range events {
		end := len(lines) + 1
		if i < len(events)-1 {
			end = events[i+1].number
		}
		require.Less(t, e.number, end)
		own := lines[e.number-1 : end-1]
		switch {
		case strings.Contains(e.err, "not valid UTF-8"):
			require.False(t, utf8.Valid(bytes.Join(own, nil)))
		case e.err != "":
			require.True(t, bytes.HasPrefix(own[0], []byte(e.raw)))
			for _, line := range own[1:] {
				require.True(t, blank(line), "%q is lost behind %q", line, own[0])
			}
		default:
			require.Len(t, e.values, width)
			require.Contains(t, recordsOf(bytes.Join(own, nil)), e.values)
		}
	}
}

// recordsOf returns what is the only record of a text, for each comma.
func recordsOf(text []byte) [][]any {
	var records [][]any
	for _, comma := range ",;\t|" {
		reader := csv.NewReader(bytes.NewReader(text))
		reader.Comma = comma
		if all, err := reader.ReadAll(); err == nil && len(all) == 1 {
			var record []any
			for _, field := range all[0] {
				record = append(record, field)
			}
			records = append(records, record)
		}
	}
	return records
}

// requireAsEncodingCSV compares, for each comma, what encoding/csv has nothing against.
func requireAsEncodingCSV(t *testing.T, input []byte) {
	t.Helper()
	input = bytes.TrimPrefix(input, []byte("\uFEFF"))
	for _, comma := range ",;\t|" {
		reader := csv.NewReader(bytes.NewReader(input))
		reader.Comma = comma
		want, err := reader.ReadAll()
		if err != nil || !utf8.Valid(input) {
			continue
		}
		rows, err := source.CSV(bytes.NewReader(input), source.CSVOptions{Comma: comma, MaxRecordBytes: -1})
		if err != nil {
			continue // of the names
		}
		require.Equal(t, want[0], columnNames(rows))
		for i, e := range readTable(t, rows) {
			require.Empty(t, e.err)
			for j, v := range e.values {
				require.Equal(t, want[i+1][j], v)
			}
			want[i+1] = nil
		}
		for _, record := range want[1:] {
			require.Nil(t, record)
		}
	}
}
