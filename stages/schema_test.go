package stages_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
)

func ExampleNewSchema() {
	schema, err := stages.NewSchema(json.RawMessage(`{"type": "object", "properties": {"stars": {"type": "integer"}}}`))
	fmt.Println(schema != nil, err)

	_, err = stages.NewSchema(json.RawMessage(`{"type": "objekt"}`))
	fmt.Println(err != nil)
	// Output:
	// true <nil>
	// true
}

func formatOf(t *testing.T, schema string) string {
	t.Helper()
	return string(validated(t, asking("a"), stages.Defaults{Schema: schemaOf(t, schema)})[0].Effective.ResponseFormat)
}

func TestTheSchemaIsSentAsTheResponseFormat(t *testing.T) {
	const strict = `{"type":"object","properties":{"b":{"type":"string"},"a":{"type":["integer","null"]}},` +
		`"required":["a","b"],"additionalProperties":false}`
	for schema, want := range map[string]string{
		strict:            `{"type":"json_schema","json_schema":{"name":"answer","strict":true,"schema":` + strict + `}}`,
		starsSchema:       `{"type":"json_schema","json_schema":{"name":"answer","schema":` + starsSchema + `}}`,
		`{"title":"A b"}`: `{"type":"json_schema","json_schema":{"name":"A_b","schema":{"title":"A b"}}}`,
		`{"title":"äé"}`:  `{"type":"json_schema","json_schema":{"name":"answer","schema":{"title":"äé"}}}`,
	} {
		require.Equal(t, want, formatOf(t, schema))
	}
}

func TestARequestsOwnResponseFormatWinsAndIsNotChecked(t *testing.T) {
	d := stages.Defaults{Schema: schemaOf(t, starsSchema)}
	items := asking("format", "param", "null", "embedding", "plain")
	items[0].Request.ResponseFormat = json.RawMessage(`{"type":"text"}`)
	items[1].Request.Params = map[string]any{"response_format": json.RawMessage(`{"type":"json_object"}`)}
	items[2].Request.Params = map[string]any{"response_format": nil}
	items[3].Request = &batch.Request{ID: "embedding", Input: json.RawMessage(`"x"`)}
	validated(t, items, d)
	for _, item := range items[:4] {
		require.Nil(t, item.Structure, item.ID())
	}
	require.Equal(t, `{"type":"text"}`, string(items[0].Effective.ResponseFormat))
	require.Nil(t, items[1].Effective.ResponseFormat)
	require.Nil(t, items[3].Effective.ResponseFormat)
	require.NotNil(t, items[4].Structure)
}

func TestProvidersThatTakeNoSchemaFindItInTheSystemPrompt(t *testing.T) {
	const told = "Answer with JSON alone, without any words around it. It follows this JSON schema:\n" + starsSchema
	part := json.RawMessage(`{"type":"text","text":` + string(batch.Text(told)) + `}`)
	for name, test := range map[string]struct {
		run, own string
		inPrompt bool
		chat     []batch.Message
		want     []batch.Message
	}{
		"by the request's model": {
			run: "openai:m", own: "anthropic:m",
			want: []batch.Message{batch.SystemMessage(told), batch.UserMessage("a")},
		},
		"by the run's": {
			run: "deepseek:m", own: "other",
			want: []batch.Message{batch.SystemMessage(told), batch.UserMessage("a")},
		},
		"as the run wants it": {
			run: "openai:m", inPrompt: true, chat: []batch.Message{batch.SystemMessage("Be brief."), batch.UserMessage("a")},
			want: []batch.Message{batch.SystemMessage("Be brief.\n\n" + told), batch.UserMessage("a")},
		},
		"beside parts": {
			inPrompt: true,
			chat:     []batch.Message{{Role: "developer", Content: json.RawMessage(`[{"type":"text","text":"x"}]`)}, batch.UserMessage("a")},
			want: []batch.Message{
				{Role: "developer", Content: json.RawMessage(`[{"type":"text","text":"x"},` + string(part) + `]`)}, batch.UserMessage("a"),
			},
		},
		"beside none": {
			inPrompt: true, chat: []batch.Message{{Role: "system"}, batch.UserMessage("a")},
			want: []batch.Message{batch.SystemMessage(told), {Role: "system"}, batch.UserMessage("a")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			items := asking("a")
			before := fmt.Sprint(test.chat)
			if items[0].Request.Model = test.own; test.chat != nil {
				items[0].Request.UserMessage, items[0].Request.Messages = "", test.chat
			}
			validated(t, items, stages.Defaults{Model: test.run, Schema: schemaOf(t, starsSchema), SchemaInPrompt: test.inPrompt})
			require.Nil(t, items[0].Effective.ResponseFormat)
			require.NotNil(t, items[0].Structure)
			require.Equal(t, text(t, test.want), text(t, items[0].Effective.Messages))
			require.Equal(t, before, fmt.Sprint(test.chat), "the caller's stays as it was")
		})
	}
	require.NotNil(t, validated(t, asking("a"), stages.Defaults{Model: "groq:m", Schema: schemaOf(t, starsSchema)})[0].Effective.ResponseFormat)
}

// text writes a chat as JSON that doesn't escape.
func text(t *testing.T, chat []batch.Message) string {
	t.Helper()
	var dst []byte
	for i := range chat {
		var err error
		dst, err = chat[i].AppendJSON(dst)
		require.NoError(t, err)
	}
	var list []any
	for dec := json.NewDecoder(bytes.NewReader(dst)); dec.More(); {
		var v any
		require.NoError(t, dec.Decode(&v))
		list = append(list, v)
	}
	return fmt.Sprint(list)
}

func TestTheSchemaIsPartOfTheFingerprint(t *testing.T) {
	prints := map[string]bool{}
	for _, d := range []stages.Defaults{
		{},
		{Schema: schemaOf(t, starsSchema)},
		{Schema: schemaOf(t, `{"type":"object"}`)},
		{Schema: schemaOf(t, starsSchema), SchemaInPrompt: true},
		{Schema: schemaOf(t, `{"type":"object"}`), SchemaInPrompt: true},
	} {
		d.Fingerprints = true
		prints[validated(t, asking("a"), d)[0].Fingerprint] = true
	}
	require.Len(t, prints, 5)
}

func TestASchemaThatCannotBeUsedIsRefused(t *testing.T) {
	for schema, want := range map[string]string{
		``:                  "reading the schema: ",
		`{"type":`:          "reading the schema: ",
		`[]`:                "want a JSON schema that is an object",
		`true`:              "want a JSON schema that is an object",
		`null`:              "want a JSON schema that is an object",
		`{"type":"objekt"}`: "compiling the schema: ",
		`{"$ref":"https://example.com/schema.json"}`: "a schema here refers to nothing outside itself",
		`{"$ref":"#/$defs/missing"}`:                 "compiling the schema: ",
	} {
		_, err := stages.NewSchema(json.RawMessage(schema))
		require.ErrorContains(t, err, want, schema)
	}
	err := stages.Defaults{Schema: schemaOf(t, `{}`), Params: map[string]any{"response_format": 1}}.Validate()
	require.ErrorContains(t, err, "Schema: the params have a response format, too")
	for _, draft := range []string{"http://json-schema.org/draft-07/schema#", "https://json-schema.org/draft/2020-12/schema"} {
		schemaOf(t, `{"$schema":"`+draft+`","type":"object"}`)
	}
}
