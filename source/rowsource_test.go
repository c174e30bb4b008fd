package source_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/source/sourcetest"
	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestRowsConforms(t *testing.T) {
	sourcetest.Run(t, func(t *testing.T, requests []batch.Request) batch.Source {
		t.Helper()
		rows := texts("id,request")
		for _, r := range requests {
			raw, err := r.MarshalJSON()
			require.NoError(t, err)
			rows.rows = append(rows.rows, []any{r.ID, string(raw)})
		}
		return inColumn{mustRows(t, rows, source.RowOptions{Prompt: "{{.request}}", IDColumn: "id"})}
	})
}

// inColumn takes the requests out of the prompts that tell them.
type inColumn struct{ batch.Source }

func (s inColumn) Next(ctx context.Context) (*batch.Item, error) {
	item, err := s.Source.Next(ctx)
	if err == nil {
		inside := &batch.Request{}
		if err := inside.UnmarshalJSON([]byte(item.Request.UserMessage)); err != nil {
			return nil, err
		}
		item.Request = inside
	}
	return item, err
}

func TestARowBecomesARequest(t *testing.T) {
	row := []any{"r1", `Good & <cheap> "wine"`, int64(5)}
	src := mustRows(t, texts("id,review,stars", row), source.RowOptions{
		Prompt: "Sort: {{.review}}", SystemPrompt: "Of {{.stars}} stars.", IDColumn: "id", MetadataColumns: []string{"stars"},
	})
	item := next(t, src)
	require.Nil(t, item.Result)
	require.Equal(t, "line 1", item.Origin)
	require.Equal(t, "r1", item.Request.ID)
	require.Equal(t, `Sort: Good & <cheap> "wine"`, item.Request.UserMessage, "nothing is escaped")
	require.Equal(t, "Of 5 stars.", item.Request.SystemPrompt)
	require.Equal(t, map[string]any{"stars": json.Number("5")}, item.Request.Metadata)
	require.Equal(t, row, item.Request.Row.Values)
	_, err := src.Next(t.Context())
	require.Equal(t, io.EOF, err)
	require.NoError(t, src.Close())
}

func TestARowWithoutAnIDColumnIsNamedByItsPlace(t *testing.T) {
	for unit, want := range map[string]string{"line": "line-2", "row": "row-2"} {
		rows := texts("text", []any{"a"}, []any{"b"})
		rows.unit = unit
		src := mustRows(t, rows, source.RowOptions{Prompt: "{{.text}}"})
		next(t, src)
		require.Equal(t, want, next(t, src).Request.ID)
	}
}

func TestAnIDIsItsDigitsOrItsText(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		value any
		want  string
	}{
		{"007", "007"},
		{" a b ", " a b "},
		{int64(-12), "-12"},
		{1e6, "1000000"},
		{json.Number("1.50"), "1.50"},
		{json.RawMessage(`"x"`), "x"},
		{json.RawMessage(`{"a":1}`), `{"a":1}`},
		{true, "true"},
		{at, "2026-01-02T03:04:05Z"},
	} {
		src := mustRows(t, texts("key", []any{c.value}), source.RowOptions{Prompt: "hi", IDColumn: "key"})
		require.Equal(t, c.want, next(t, src).Request.ID)
	}
}

func TestARowWithoutItsIDFailsAlone(t *testing.T) {
	src := mustRows(t, texts("id,text", []any{"", "a"}, []any{nil, "b"}, []any{"  ", "c"}, []any{"4", "d"}),
		source.RowOptions{Prompt: "{{.text}}", IDColumn: "id", MetadataColumns: []string{"text"}})
	for n, text := range []string{"a", "b", "c"} {
		item := next(t, src)
		place := []string{"1", "2", "3"}[n]
		require.Equal(t, "line "+place+`: column "id" is empty`, item.Result.Error)
		require.Equal(t, "line-"+place, item.Result.ID)
		require.Equal(t, text, item.Result.Row.Value("text"), "a failed row comes back, too")
	}
	require.Equal(t, "d", asked(t, src))
}

func TestWhatIsNoNumberIsAsNull(t *testing.T) {
	for _, value := range []any{math.NaN(), math.Inf(-1), json.RawMessage("null")} {
		src := mustRows(t, texts("n", []any{value}), source.RowOptions{Prompt: `[{{.n}}{{printf "%v" .n}}{{upper .n}}]`})
		require.Equal(t, "[]", asked(t, src))
		src = mustRows(t, texts("n", []any{value}), source.RowOptions{Prompt: "hi", IDColumn: "n"})
		require.Equal(t, `line 1: column "n" is empty`, next(t, src).Result.Error)
		src = mustRows(t, texts("n", []any{value}), source.RowOptions{EmbedColumn: "n"})
		require.Equal(t, `line 1: column "n" is empty`, next(t, src).Result.Error)
	}
}

func TestMetadataColumnsKeepTheirTypes(t *testing.T) {
	columns := "text,int,float,digits,bool,json,nothing,time,bytes,vector"
	src := mustRows(t, texts(columns, []any{
		"a", int64(1 << 60), 0.1, json.Number("1.50"), false, json.RawMessage(`[1,{}]`), nil,
		time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		[]byte{0xff},
		[]float32{1, 0.5},
	}), source.RowOptions{Prompt: "hi", MetadataColumns: strings.Split(columns, ",")})
	raw, err := json.Marshal(next(t, src).Request.Metadata)
	require.NoError(t, err)
	require.JSONEq(t, `{"text":"a","int":1152921504606846976,"float":0.1,"digits":1.50,"bool":false,"json":[1,{}],"nothing":null,
		"time":"2026-01-02T03:04:05Z","bytes":"/w==","vector":[1,0.5]}`, string(raw))
	require.Contains(t, string(raw), "1.50")
	require.Contains(t, string(raw), "1152921504606846976")
}

func TestARowThatCannotBeReadFailsAloneAndSaysWhere(t *testing.T) {
	rows := texts("text", []any{"a"})
	rows.rows = append(rows.rows,
		&source.RowError{Number: 2, Unit: "line", Column: 3, Raw: []byte("b\"ad\n"), Err: errors.New("bare quote")}, []any{"c"})
	src := mustRows(t, rows, source.RowOptions{})
	require.Equal(t, "a", asked(t, src))
	item := next(t, src)
	require.Equal(t, "line 2", item.Origin)
	require.Equal(t, "line-2", item.Result.ID)
	require.Equal(t, "line 2, column 3: bare quote", item.Result.Error)
	require.Equal(t, batch.ErrInvalidRequest, item.Result.ErrorType)
	require.Equal(t, batch.FingerprintRecord([]byte("b\"ad")), item.Result.Fingerprint)
	bad, ok := errors.AsType[*source.RowError](item.Result.Err)
	require.True(t, ok)
	require.Nil(t, bad.Raw, "its bytes are the reader's")
	require.Equal(t, "c", asked(t, src))
}

func TestAnErrorOfTheTableEndsTheRun(t *testing.T) {
	broken := errors.New("connection lost")
	rows := texts("text", []any{"a"})
	rows.rows = append(rows.rows, broken, []any{"never"})
	src := mustRows(t, rows, source.RowOptions{})
	next(t, src)
	for range 2 {
		_, err := src.Next(t.Context())
		require.ErrorIs(t, err, broken)
	}
}

func TestAFailedRowHasTheSameFingerprintNextTime(t *testing.T) {
	fingerprint := func(text string) string {
		src := mustRows(t, texts("id,text", []any{"", text}), source.RowOptions{Prompt: "{{.text}}", IDColumn: "id"})
		return next(t, src).Result.Fingerprint
	}
	first, again := fingerprint("a"), fingerprint("a")
	require.Equal(t, first, again)
	require.NotEqual(t, fingerprint("a"), fingerprint("b"))
}

func TestRowsToEmbed(t *testing.T) {
	src := mustRows(t, texts("id,text", []any{"a", `Say "hi"`}, []any{"b", int64(12)}, []any{"c", nil}, []any{"d", " "}),
		source.RowOptions{EmbedColumn: "text", IDColumn: "id"})
	request := next(t, src).Request
	require.Equal(t, `"Say \"hi\""`, string(request.Input))
	require.Empty(t, request.UserMessage)
	require.Equal(t, `"12"`, string(next(t, src).Request.Input))
	require.Equal(t, `line 3: column "text" is empty`, failure(t, src))
	require.Equal(t, `line 4: column "text" is empty`, failure(t, src))
}

type sizedTable struct{ *table }

func (t sizedTable) Len() int { return len(t.rows) }

func TestRowsKnowTheirNumberWhereTheTableDoes(t *testing.T) {
	rows := texts("text", []any{"a"}, []any{"b"})
	sized, ok := mustRows(t, sizedTable{rows}, source.RowOptions{}).(source.Sized)
	require.True(t, ok)
	require.Equal(t, 2, sized.Len())
	_, ok = mustRows(t, rows, source.RowOptions{}).(source.Sized)
	require.False(t, ok)
}

func TestRowsCloseTheTable(t *testing.T) {
	rows := texts("text")
	require.NoError(t, mustRows(t, rows, source.RowOptions{}).Close())
	require.Equal(t, 1, rows.closed)
}
