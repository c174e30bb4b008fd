package tool_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/tool"
)

// echoing returns a tool by schema that answers with its arguments.
func echoing(t *testing.T, parameters string) batch.Tool {
	t.Helper()
	one, err := tool.FromSchema("echo", "Says it again.", json.RawMessage(parameters), echo)
	require.NoError(t, err)
	return one
}

func echo(_ context.Context, arguments json.RawMessage) (string, error) {
	return string(arguments), nil
}

func TestArgumentsAreCheckedAgainstASchemaAndHandedOnAsTheyAre(t *testing.T) {
	one := echoing(t, `{"type":"object","properties":{"n":{"type":"integer"},"s":{"type":"string"},"null":{"type":["null","string"]},
		"deep":{"type":"object","properties":{"s":{"type":"string"}}}},"required":["n"],"additionalProperties":false}`)
	for _, test := range []struct{ written, want string }{
		{`{"n": 12345678901234567890123, "s":"<é>"}`, `{"n": 12345678901234567890123, "s":"<é>"}`},
		{`{"n": 3.0}`, `{"n": 3.0}`},
		{`{"n": 1, "null": null}`, `{"n": 1, "null": null}`},
		{`{"n": 10000000000000000000001, "null": null, "s": null}`, `{"n":10000000000000000000001,"null":null}`},
		{`{"n": null}`, `error: arguments: at "/n": got null, want integer`},
		{`{"n": 1, "deep": {"s": null}}`, `error: arguments: at "/deep/s": got null, want string`},
		{`{"n": "1", "x": 2}`, `error: arguments: at "/n": got string, want integer; at "/x": unknown property`},
		{`{"n": 1e999999999}`, `error: arguments: the number 1e999999999 is too large`},
		{``, `error: arguments: at "/n": missing property`},
	} {
		require.Equal(t, test.want, runOne(t, one, test.written).Result, test.written)
	}
}

func TestASchemaIsSentInTheFormThatModelsAreUsedTo(t *testing.T) {
	for written, want := range map[string]string{
		``:                                   `{"type":"object","properties":{}}`,
		`{}`:                                 `{"type":"object","properties":{}}`,
		` { } `:                              `{"type":"object","properties":{} }`,
		`{"type":"object"}`:                  `{"properties":{},"type":"object"}`,
		`{"properties":{"z":{},"a":{}}}`:     `{"type":"object","properties":{"z":{},"a":{}}}`,
		`{"type": "object","properties":{}}`: `{"type": "object","properties":{}}`,
	} {
		var parameters json.RawMessage
		if written != "" {
			parameters = json.RawMessage(written)
		}
		one, err := tool.FromSchema("echo", "", parameters, echo)
		require.NoError(t, err)
		require.Equal(t, want, string(one.Parameters))
		_, err = one.AppendDefinition(nil)
		require.NoError(t, err)
		require.Equal(t, "{}", runOne(t, one, "").Result)
	}
}

func TestWhatIsNoToolIsRefusedWithItsReason(t *testing.T) {
	for _, test := range []struct{ name, parameters, want string }{
		{"get.weather", `{}`, "letters, digits"},
		{"", `{}`, "letters, digits"},
		{strings.Repeat("x", 65), `{}`, "letters, digits"},
		{"one", `[]`, "must be a JSON object"},
		{"one", `null`, "must be a JSON object"},
		{"one", `{"type":"object"`, "must be a JSON object"},
		{"one", `{"type":"array"}`, `of type "object", not "array"`},
		{"one", `{"properties":{"a":{"type":"strin"}}}`, "compiling the schema"},
		{"one", `{"properties":{"a":{"$ref":"file:///etc/passwd"}}}`, "refers to nothing outside itself"},
		{"one", `{"properties":{"a":{"$ref":"http://127.0.0.1/schema"}}}`, "refers to nothing outside itself"},
	} {
		_, err := tool.FromSchema(test.name, "", json.RawMessage(test.parameters), echo)
		require.ErrorContains(t, err, test.want, test.parameters)
		require.ErrorContains(t, err, "tool ")
	}
	_, err := tool.FromSchema("one", "", nil, nil)
	require.EqualError(t, err, `tool "one": the function is nil`)
}

func TestASchemaThatRefersToItselfEndsAllTheSame(t *testing.T) {
	for _, parameters := range []string{
		`{"type":"object","properties":{"a":{"$ref":"#/properties/a"}}}`,
		`{"type":"object","properties":{"a":{"$ref":"#/properties/b"},"b":{"$ref":"#/properties/a"}}}`,
		`{"type":"object","properties":{"a":{"$ref":"#"}}}`,
		`{"type":"object","allOf":[{"$ref":"#"}]}`,
	} {
		one, err := tool.FromSchema("one", "", json.RawMessage(parameters), echo)
		if err != nil {
			continue
		}
		require.NotContains(t, runOne(t, one, `{"a":{"a":{}}}`).Result, "panicked")
	}
}
