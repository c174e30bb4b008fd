package source_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/source/sourcetest"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// table is a reader of rows that are there. Rows may be *batch.Row, []any of the columns, or an error.
type table struct {
	columns []batch.Column
	unknown bool // until the rows are read
	unit    string
	rows    []any
	n       int
	closed  int
}

func (t *table) Columns() []batch.Column {
	if t.unknown {
		return nil
	}
	return t.columns
}

func (t *table) Next(ctx context.Context) (source.TableRow, error) {
	if err := ctx.Err(); err != nil {
		return source.TableRow{}, err
	}
	if t.n == len(t.rows) {
		return source.TableRow{}, io.EOF
	}
	t.n++
	switch r := t.rows[t.n-1].(type) {
	case error:
		return source.TableRow{}, r
	case *batch.Row:
		return source.TableRow{Row: r, Number: t.n, Unit: t.unit}, nil
	case []any:
		return source.TableRow{Row: &batch.Row{Columns: t.columns, Values: r}, Number: t.n, Unit: t.unit}, nil
	}
	panic("no row")
}

func (t *table) Close() error {
	t.closed++
	return nil
}

// texts returns a table of texts: its header, and rows of the same length.
func texts(header string, rows ...[]any) *table {
	t := &table{unit: "line"}
	for name := range strings.SplitSeq(header, ",") {
		t.columns = append(t.columns, batch.Column{Name: name})
	}
	for _, r := range rows {
		t.rows = append(t.rows, r)
	}
	return t
}

// objects returns a table of JSON objects, whose columns aren't known beforehand.
func objects(t *testing.T, rows ...string) *table {
	t.Helper()
	all := &table{unit: "line", unknown: true}
	for _, r := range rows {
		row := &batch.Row{}
		require.NoError(t, row.UnmarshalJSON([]byte(r)))
		all.rows = append(all.rows, row)
	}
	return all
}

func mustRows(t *testing.T, rows source.RowReader, options source.RowOptions) batch.Source {
	t.Helper()
	src, err := source.Rows(rows, options)
	require.NoError(t, err)
	return src
}

// asked returns the user's message of the next row, which must be good.
func asked(t *testing.T, src batch.Source) string {
	t.Helper()
	item := next(t, src)
	if item.Result != nil {
		require.Empty(t, item.Result.Error)
	}
	return item.Request.UserMessage
}

// failure returns the error of the next row, which must be bad.
func failure(t *testing.T, src batch.Source) string {
	t.Helper()
	item := next(t, src)
	require.NotNil(t, item.Result)
	require.Nil(t, item.Request)
	require.True(t, item.Settled())
	require.ErrorIs(t, item.Result.Err, batch.ErrInvalidRequest)
	require.NotEmpty(t, item.Result.Fingerprint)
	return item.Result.Error
}

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

func TestAnOptionThatNamesNoColumnIsRefusedBeforeTheFirstRow(t *testing.T) {
	for name, c := range map[string]struct {
		options source.RowOptions
		want    string
	}{
		"prompt":    {source.RowOptions{Prompt: "{{.reviw}}"}, `prompt: no column "reviw"`},
		"in an if":  {source.RowOptions{Prompt: "{{if .stars}}{{.reviw}}{{end}}"}, `prompt: no column "reviw"`},
		"in a with": {source.RowOptions{Prompt: "{{with .stars}}{{$.reviw}}{{end}}"}, `prompt: no column "reviw"`},
		"in an else of a range": {
			source.RowOptions{Prompt: "{{range .stars}}{{.x}}{{else}}{{.reviw}}{{end}}"}, `prompt: no column "reviw"`,
		},
		"by index":      {source.RowOptions{Prompt: `{{index . "my review"}}`}, `prompt: no column "my review"`},
		"by a variable": {source.RowOptions{Prompt: `{{$row := .}}{{$row.reviw}}`}, `prompt: no column "reviw"`},
		"piped":         {source.RowOptions{Prompt: `{{.reviw | trim | truncate 3}}`}, `prompt: no column "reviw"`},
		"in brackets":   {source.RowOptions{Prompt: `{{(.).reviw}}`}, `prompt: no column "reviw"`},
		"system prompt": {source.RowOptions{Prompt: "a", SystemPrompt: "{{.role}}"}, `system prompt: no column "role"`},
		"id":            {source.RowOptions{Prompt: "a", IDColumn: "key"}, `id column: no column "key"`},
		"metadata": {
			source.RowOptions{Prompt: "a", MetadataColumns: []string{"id", "key"}}, `metadata columns: no column "key"`,
		},
		"image": {source.RowOptions{Prompt: "a", ImageColumn: "key"}, `image column: no column "key"`},
		"embed": {source.RowOptions{EmbedColumn: "key"}, `embed column: no column "key"`},
	} {
		t.Run(name, func(t *testing.T) {
			rows := texts("id,review,stars")
			_, err := source.Rows(rows, c.options)
			require.EqualError(t, err, c.want+": the columns are id, review, stars")
			wrong, ok := errors.AsType[*source.ColumnError](err)
			require.True(t, ok)
			require.Equal(t, []string{"id", "review", "stars"}, wrong.Columns)
			require.Zero(t, rows.closed, "the rows stay the caller's")
		})
	}
}

func TestOptionsThatDoNotGoTogetherAreRefused(t *testing.T) {
	for want, options := range map[string]source.RowOptions{
		"RowOptions.EmbedColumn and Prompt: want one of the two":       {EmbedColumn: "text", Prompt: "a"},
		"RowOptions.EmbedColumn and SystemPrompt: want one of the two": {EmbedColumn: "text", SystemPrompt: "a"},
		"RowOptions.EmbedColumn and ImageColumn: want one of the two":  {EmbedColumn: "text", ImageColumn: "text"},
		"RowOptions.Prompt is missing: the columns are text, b":        {SystemPrompt: "a"},
	} {
		_, err := source.Rows(texts("text,b"), options)
		require.EqualError(t, err, want)
	}
	_, err := source.Rows(texts("review"), source.RowOptions{})
	require.EqualError(t, err, "RowOptions.Prompt is missing: the only column is review")
	missing, ok := errors.AsType[*source.ColumnError](err)
	require.True(t, ok)
	require.Equal(t, &source.ColumnError{Option: "Prompt", Columns: []string{"review"}}, missing)
}

func TestAFieldThatAnObjectLacksFailsThatRowAlone(t *testing.T) {
	src := mustRows(t, objects(t, `{"id":1,"review":"good"}`, `{"id":2,"stars":5}`, `{"id":3,"review":"bad"}`),
		source.RowOptions{Prompt: "{{.review}}", IDColumn: "id"})
	require.Equal(t, "good", asked(t, src))
	item := next(t, src)
	require.Equal(t, `line 2: prompt: no column "review": the columns are id, stars`, item.Result.Error)
	require.Equal(t, "2", item.Result.ID)
	require.Equal(t, "bad", asked(t, src))

	src = mustRows(t, objects(t, `{"a":1}`, `{"a":1}`, `{"a":1}`), source.RowOptions{Prompt: "a", MetadataColumns: []string{"b"}})
	require.Equal(t, `line 1: metadata columns: no column "b": the only column is a`, failure(t, src))
}

func TestAFieldThatAnObjectMayLackIsTakenByIndex(t *testing.T) {
	src := mustRows(t, objects(t, `{"id":1,"name":"Ann"}`, `{"id":2}`),
		source.RowOptions{Prompt: `Dear {{index . "name" | default "customer"}}`})
	require.Equal(t, "Dear Ann", asked(t, src))
	require.Equal(t, "Dear customer", asked(t, src))
}

func TestATableOfUserMessagesNeedsNoPrompt(t *testing.T) {
	src := mustRows(t, texts("id,user_message,system_prompt,model,lang",
		[]any{"a", "Hello {{.x}}", "Be brief.", "mock:echo", "en"}, []any{"", "Hi", nil, "", "en"}, []any{"c", "", "", "", ""}),
		source.RowOptions{})
	first := next(t, src).Request
	require.Equal(t, "a", first.ID)
	require.Equal(t, "Hello {{.x}}", first.UserMessage)
	require.Equal(t, "Be brief.", first.SystemPrompt)
	require.Equal(t, "mock:echo", first.Model)
	second := next(t, src).Request
	require.Equal(t, "line-2", second.ID)
	require.Empty(t, second.SystemPrompt+second.Model)
	require.Equal(t, "line 3: the prompt is empty", failure(t, src))

	src = mustRows(t, texts("user_message,system_prompt", []any{"Hi", "Be brief."}),
		source.RowOptions{SystemPrompt: "Be kind."})
	require.Equal(t, "Be kind.", next(t, src).Request.SystemPrompt, "what is said outright wins")
}

func TestTheFirstObjectDecidesWhatToAskWithoutAPrompt(t *testing.T) {
	src := mustRows(t, objects(t, `{"user_message":"Hi"}`, `{"text":"Ho"}`, `{"user_message":"He","system_prompt":"s"}`),
		source.RowOptions{})
	require.Equal(t, "Hi", asked(t, src))
	require.Equal(t, `line 2: prompt: no column "user_message": the only column is text`, failure(t, src))
	require.Equal(t, "s", next(t, src).Request.SystemPrompt)

	src = mustRows(t, objects(t, `{"text":"Ho"}`), source.RowOptions{})
	require.Equal(t, "Ho", asked(t, src))

	src = mustRows(t, objects(t, `{"a":1,"b":2}`), source.RowOptions{})
	for range 2 {
		_, err := src.Next(t.Context())
		require.EqualError(t, err, "RowOptions.Prompt is missing: the columns are a, b")
	}
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
