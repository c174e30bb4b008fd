package sink_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/stages/batch"
)

func openCSV(tb testing.TB, path string, options sink.CSVOptions) *sink.File {
	tb.Helper()
	f, err := sink.OpenCSV(path, options)
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = f.Close(context.Background()) })
	return f
}

// fingerprinted gives a result a fingerprint as long as they all are.
func fingerprinted(r *batch.Result) *batch.Result {
	r.Fingerprint = batch.FingerprintRecord([]byte(r.ID))
	return r
}

func csvOf(tb testing.TB, table *sink.Table, comma rune, results ...*batch.Result) string {
	tb.Helper()
	var out bytes.Buffer
	s := sink.CSV(&out, table, comma)
	require.NoError(tb, s.Write(tb.Context(), results))
	require.NoError(tb, s.Close(tb.Context()))
	return out.String()
}

// parseCSV returns the rows behind the header, as another reader sees them, by the names of the columns.
func parseCSV(tb rapid.TB, data string, comma rune) []map[string]string {
	tb.Helper()
	r := csv.NewReader(strings.NewReader(strings.TrimPrefix(data, "\uFEFF")))
	r.Comma = comma
	rows, err := r.ReadAll()
	require.NoError(tb, err, "%s", data)
	var parsed []map[string]string
	for _, row := range rows[min(1, len(rows)):] {
		cells := make(map[string]string)
		for i, name := range rows[0] {
			cells[name] = row[i]
		}
		parsed = append(parsed, cells)
	}
	return parsed
}

func column(rows []map[string]string, name string) []string {
	var all []string
	for _, row := range rows {
		all = append(all, row[name])
	}
	return all
}

func TestACSVHasTheRowTheAnswerAndWhatBecameOfIt(t *testing.T) {
	table := newTable(t, sink.TableOptions{
		Row:    []batch.Column{{Name: "id"}, {Name: "review, as written"}, {Name: "at", Type: batch.TimeColumn}},
		Answer: []batch.Column{{Name: "mood"}, {Name: "score", Type: batch.FloatColumn}, {Name: "tags", Type: batch.JSONColumn}},
	})
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	cost := 0.000001
	good := fingerprinted(success("a", 0))
	good.Row = &batch.Row{Columns: table.Columns()[:3], Values: []any{"7", "Fine,\n\"really\" fine", at}}
	good.StructuredOutput = json.RawMessage(`{"mood":"","score":0.50,"tags":["a","b"]}`)
	good.CostUSD, good.Model, good.FinishReason = &cost, "echo", "stop"
	good.Metadata = map[string]any{"a": 1}
	bad := fingerprinted(failure("b", 1))
	bad.Row = &batch.Row{Columns: table.Columns()[:3], Values: []any{" 8", "", nil}}
	bad.Response = `{"mood":`
	unread := fingerprinted(&batch.Result{ID: "line-3", Index: 2})
	unread.SetError(batch.ErrInvalidRequest.Errorf("line 3: 2 fields instead of 3"))

	require.Equal(t, `id,"review, as written",at,mood,score,tags,response,gluepipe_id,success,error,error_type,tool_calls,`+
		`tool_calls_made,prompt_tokens,completion_tokens,total_tokens,cost_usd,elapsed_time,attempts,model,finish_reason,metadata,`+
		`index,fingerprint
7,"Fine,
""really"" fine",2026-01-02T03:04:05Z,"",0.50,"[""a"",""b""]",,a,true,,,,0,1,2,3,0.000001,0.5,1,echo,stop,"{""a"":1}",0,`+
		good.Fingerprint+`
" 8","",,,,,"{""mood"":",b,false,status 500,ServerError,,0,,,,,0,1,,,,1,`+bad.Fingerprint+`
,,,,,,,line-3,false,line 3: 2 fields instead of 3,InvalidRequestError,,0,,,,,0,0,,,,2,`+unread.Fingerprint+`
`, csvOf(t, table, 0, good, bad, unread))
}

func TestACSVWritesEveryTypeOfValue(t *testing.T) {
	columns := []batch.Column{
		{Name: "int", Type: batch.IntColumn},
		{Name: "float", Type: batch.FloatColumn},
		{Name: "digits", Type: batch.FloatColumn},
		{Name: "none", Type: batch.FloatColumn},
		{Name: "bool", Type: batch.BoolColumn},
		{Name: "time", Type: batch.TimeColumn},
		{Name: "bytes", Type: batch.BytesColumn},
		{Name: "vector", Type: batch.VectorColumn},
		{Name: "json", Type: batch.JSONColumn},
		{Name: "end", Type: batch.TextColumn},
		{Name: "tab", Type: batch.TextColumn},
	}
	r := success("a", 0)
	r.Row = &batch.Row{Columns: columns, Values: []any{
		int64(math.MinInt64), 1e21, json.Number("12345678901234567890.10"), math.NaN(), false,
		time.Date(2026, 1, 2, 3, 4, 5, 6000, time.FixedZone("", 3600)),
		[]byte{0xfb, 0xff},
		[]float32{0.1, -2},
		json.RawMessage(`"a"`), `\.`, "\ta",
	}}
	row, _, found := strings.Cut(strings.Split(csvOf(t, newTable(t, sink.TableOptions{Row: columns}), ';', r), "\n")[1], ";a;")
	require.True(t, found)
	require.Equal(t, `-9223372036854775808;1e+21;12345678901234567890.10;NaN;false;2026-01-02T03:04:05.000006+01:00;+/8=;[0.1,-2];`+
		`"""a""";"\.";"`+"\ta"+`";Answer to a`, row)
}

func TestACSVWithoutResultsHasItsHeader(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.csv")
	require.NoError(t, openCSV(t, path, sink.CSVOptions{}).Close(t.Context()))
	require.Equal(t, csvOf(t, nil, 0), readFile(t, path))
	require.True(t, strings.HasPrefix(readFile(t, path), "response,id,success,"))
}

func TestATextThatACSVCannotHoldTheseFieldsApartByIsRefused(t *testing.T) {
	for _, comma := range []rune{'"', '\n', '\r', 0xFFFD, -1} {
		_, err := sink.OpenCSV(filepath.Join(t.TempDir(), "results.csv"), sink.CSVOptions{Comma: comma})
		require.ErrorContains(t, err, "can't stand between the fields of a table")
		_, err = sink.ReadCSVRecords("results.csv", comma)
		require.ErrorContains(t, err, "can't stand between the fields of a table")
		require.Panics(t, func() { sink.CSV(&bytes.Buffer{}, nil, comma) })
	}
}

func TestAResultThatDoesNotFitACSVCostsNoOther(t *testing.T) {
	table := newTable(t, sink.TableOptions{Row: []batch.Column{{Name: "stars", Type: batch.IntColumn}}})
	row := func(r *batch.Result, stars any) *batch.Result {
		r.Row = &batch.Row{Columns: table.Columns()[:1], Values: []any{stars}}
		return r
	}
	path := filepath.Join(t.TempDir(), "results.csv")
	f := openCSV(t, path, sink.CSVOptions{Table: table})
	err := f.Write(t.Context(), []*batch.Result{row(success("a", 0), int64(1)), row(success("b", 1), "many"), row(success("c", 2), "3")})
	require.EqualError(t, err, `writing `+path+`: encoding the result of request 2: column "stars": want a whole number, got "many"`)
	var partial *sink.PartialError
	require.ErrorAs(t, err, &partial)
	require.Equal(t, []string{"a", "c"}, ids(partial.Written))
	require.NoError(t, f.Close(t.Context()))
	rows := parseCSV(t, readFile(t, path), ',')
	require.Equal(t, []string{"a", "c"}, column(rows, "id"))
	require.Equal(t, []string{"1", "3"}, column(rows, "stars"))
}

func TestARowThatIsTooLargeForACSVIsAnError(t *testing.T) {
	var out bytes.Buffer
	r := success("a", 0)
	r.Response = strings.Repeat("a", 66<<20)
	err := sink.CSV(&out, nil, 0).Write(t.Context(), []*batch.Result{r, success("b", 1)})
	require.EqualError(t, err, "encoding the result of request 1: a row of 66 MiB, the most is 64: write JSON Lines instead")
	require.Equal(t, []string{"b"}, column(parseCSV(t, out.String(), ','), "id"))
}

// Whatever results hold, another reader of CSV finds the same in the columns.
func TestAnyResultsComeOutOfACSVAsTheyWere(t *testing.T) {
	table := newTable(t, sink.TableOptions{Row: []batch.Column{{Name: "a"}, {Name: "id"}, {Name: "n", Type: batch.FloatColumn}}})
	text := rapid.OneOf(rapid.String(), rapid.StringOfN(rapid.SampledFrom([]rune("\"\",;\t\r\n \\.a")), 0, 12, -1))
	rapid.Check(t, func(t *rapid.T) {
		comma := rapid.SampledFrom([]rune(",;\t|é")).Draw(t, "comma")
		var results []*batch.Result
		var want []map[string]string
		for i := range rapid.IntRange(0, 5).Draw(t, "results") {
			n := rapid.Float64().Draw(t, "n")
			r := &batch.Result{
				ID: fmt.Sprintf("r%d", i), Index: int64(i), Success: rapid.Bool().Draw(t, "success"),
				Response: text.Draw(t, "response"), Fingerprint: text.Draw(t, "fingerprint"),
			}
			r.Row = &batch.Row{Columns: table.Columns()[:3], Values: []any{text.Draw(t, "a"), text.Draw(t, "id"), n}}
			results = append(results, r)
			want = append(want, map[string]string{
				"a": r.Row.Values[0].(string), "id": r.Row.Values[1].(string), "response": r.Response, "gluepipe_id": r.ID,
				"success": strconv.FormatBool(r.Success), "fingerprint": r.Fingerprint,
			})
		}
		var out bytes.Buffer
		s := sink.CSV(&out, table, comma)
		require.NoError(t, s.Write(context.Background(), results))
		require.NoError(t, s.Close(context.Background()))
		got := parseCSV(t, out.String(), comma)
		require.Len(t, got, len(want))
		for i, cells := range want {
			for name, cell := range cells {
				cell = strings.ReplaceAll(cell, "\r\n", "\n") // as encoding/csv has it
				require.Equal(t, cell, got[i][name], name)
			}
			n, err := strconv.ParseFloat(got[i]["n"], 64)
			require.NoError(t, err)
			require.Equal(t, math.Float64bits(results[i].Row.Values[2].(float64)), math.Float64bits(n))
		}
	})
}

func TestACSVIsWrittenToAPipe(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer func() { _, _ = r.Close(), w.Close() }()
	f, err := sink.OpenCSV(fmt.Sprintf("/dev/fd/%d", w.Fd()), sink.CSVOptions{})
	if err != nil {
		t.Skip("no /dev/fd here")
	}
	require.NoError(t, f.Write(t.Context(), []*batch.Result{success("a", 0)}))
	require.NoError(t, f.Close(t.Context()))
	require.NoError(t, w.Close())
	var out bytes.Buffer
	_, err = out.ReadFrom(r)
	require.NoError(t, err)
	require.Equal(t, csvOf(t, nil, 0, success("a", 0)), out.String())
}
