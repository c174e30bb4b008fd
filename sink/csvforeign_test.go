package sink_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestACSVFileWithOtherColumnsIsRefusedByBothHeaders(t *testing.T) {
	table := newTable(t, sink.TableOptions{Row: []batch.Column{{Name: "review"}}})
	ours := strings.TrimSuffix(csvOf(t, nil, 0), "\n")
	for _, c := range []struct {
		name, content, difference, there string
	}{
		{"a table of somebody else's", "a,b\n1,2\n", `column 1 is "a" there and "review" here`, "a,b"},
		{"results of another run", ours + "\n", `column 1 is "response" there and "review" here`, ours},
		{"a column less", "review,response,id\n", "3 columns there and 19 here", "review,response,id"},
		{"another comma", "review;response\n", `column 1 is "review;response" there and "review" here`, "review;response"},
		{"no table, nor a line", "Dear diary", `column 1 is "Dear diary" there and "review" here`, "Dear diary"},
		{"a blank line", "\n", `column 1 is "" there and "review" here`, ""},
		{
			"a long text", strings.Repeat("ü", 300) + "\n", `column 1 is "` + strings.Repeat("ü", 50) + `..." there and "review" here`,
			strings.Repeat("ü", 200) + "...",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := writeCSV(t, c.content)
			_, err := sink.OpenCSV(path, sink.CSVOptions{Table: table})
			require.EqualError(t, err, path+" has other columns than this run: "+c.difference+"; it has "+c.there+
				", this run has review,"+ours+"; choose another output, or overwrite this one")
			require.Equal(t, c.content, readFile(t, path))
		})
	}
}

func TestACSVFileThatHoldsAnythingElseIsRefusedByItsLine(t *testing.T) {
	head := csvOf(t, nil, 0)
	row := strings.TrimPrefix(csvOf(t, nil, 0, twoLines("a", 0)), head) // five lines
	other := strings.TrimPrefix(csvOf(t, nil, 0, success("b", 1)), head)
	for _, c := range []struct{ name, content, want string }{
		{"a row of another width", head + row + "1,2\n" + other, "line 7: not a result record: 2 fields instead of 18"},
		{"a row that is too wide", head + strings.Replace(other, ",", ",,", 1), "line 2: not a result record: 19 fields instead of 18"},
		{"a last row that is too wide", head + "," + strings.TrimSuffix(other, "\n"), "line 2: not a result record: 19 fields instead of 18"},
		{"an id left out", head + strings.Replace(other, ",b,", ",,", 1), "line 2: not a result record: want an id and success"},
		{"a success that is none", head + strings.Replace(other, "true", "si", 1), `line 2: not a result record: column "success": want true or false, got "si"`},
		{"a quote in the midst of a text", head + row + strings.Replace(other, "Answer", `Ans"w"er`, 1), "line 7: not a result record: field 1 has a quote in a field that isn't quoted"},
		{"text behind a quote", head + row + `"Answer" ` + other, "line 7: not a result record: field 1 has text behind the closing quote of a field"},
		{"a last row with text behind a quote", head + row + `"Answer" x`, "line 7: not a result record: field 1 has text behind the closing quote of a field"},
		{"a quote that isn't closed", head + row + `"` + other + other + other, "line 7: not a result record: field 1 has a quote that isn't closed"},
		{"a quote that isn't closed before rows of many lines", head + row + `"` + other + row + row, "line 7: not a result record: field 1 has text behind"},
		{"a quote that isn't closed and a bare row", head + `"` + other + strings.TrimSuffix(row, "\n"), "line 2: not a result record: field 1 has "},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := writeCSV(t, c.content)
			_, err := sink.OpenCSV(path, sink.CSVOptions{})
			require.ErrorContains(t, err, path+": "+c.want)
			require.ErrorContains(t, err, "; choose another output, or overwrite this one")
			require.Equal(t, c.content, readFile(t, path))
			_, err = sink.ReadCSVRecords(path, 0)
			require.ErrorContains(t, err, path+": "+c.want)
		})
	}
}

func TestATableWithoutResultsIsNoCSVOfResults(t *testing.T) {
	path := writeCSV(t, "a,b\n1,2\n")
	_, err := sink.ReadCSVRecords(path, 0)
	require.EqualError(t, err, path+": line 1: not a result record: there are no columns id and success")
	records, err := sink.ReadCSVRecords(writeCSV(t, ""), 0)
	require.NoError(t, err)
	require.Zero(t, records.Earlier())
	_, err = sink.ReadCSVRecords(filepath.Join(t.TempDir(), "none.csv"), 0)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestAQuoteThatIsNeverClosedDoesNotFillTheMemory(t *testing.T) {
	path := writeCSV(t, csvOf(t, nil, 0, success("a", 0)))
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	require.NoError(t, err)
	_, err = io.Copy(file, io.MultiReader(strings.NewReader(`"`), io.LimitReader(lineAfterLine{}, 66<<20)))
	require.NoError(t, err)
	require.NoError(t, file.Close())
	_, err = sink.OpenCSV(path, sink.CSVOptions{})
	require.EqualError(t, err, path+": line 3: not a result record: a row of more than 64 MiB, or a quote that isn't closed; "+
		"choose another output, or overwrite this one")
}

type lineAfterLine struct{}

func (lineAfterLine) Read(p []byte) (int, error) {
	return copy(p, bytes.Repeat([]byte("some text, and no quote\n"), 1+len(p)/24)), nil
}
