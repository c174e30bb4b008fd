package source_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/source"
)

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

func TestAColumnsNameOfAnyLengthMakesAShortError(t *testing.T) {
	rows, err := source.CSV(strings.NewReader(strings.Repeat("x", 1<<20)+"\n1\n"), source.CSVOptions{})
	require.NoError(t, err)
	_, err = source.Rows(rows, source.RowOptions{Prompt: "{{.review}}"})
	require.ErrorContains(t, err, "the only column is xxx")
	require.Less(t, len(err.Error()), 300)
}
