package sink_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// describe writes columns as name:type.
func describe(columns []batch.Column) string {
	var all []string
	for _, c := range columns {
		all = append(all, c.Name+":"+c.Type.String())
	}
	return strings.Join(all, " ")
}

func TestThePropertiesOfASchemaAreColumnsInItsOrder(t *testing.T) {
	columns, err := sink.SchemaColumns(json.RawMessage(`{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "required": ["mood"],
		"properties": {
			"mood": {"type": "string", "enum": ["good", "bad"]},
			"score": {"type": "integer"}, "confidence": {"type": "number"}, "urgent": {"type": "boolean"},
			"at": {"type": "string", "format": "date-time"},
			"tags": {"type": "array", "items": {"type": "string"}}, "author": {"type": "object", "properties": {}}
		}
	}`))
	require.NoError(t, err)
	require.Equal(t, "mood:text score:int confidence:float urgent:bool at:text tags:json author:json", describe(columns))
}

func TestAPropertyOfASchemaHasTheTypeThatItsValuesHave(t *testing.T) {
	const defs = `,"$defs":{"Mood":{"type":"string"},"Chain":{"$ref":"#/$defs/Mood"},"Loop":{"$ref":"#/$defs/Loop"},
		"a/b~c d":{"type":"integer"},"Deep":{"anyOf":[{"$ref":"#/$defs/Deep"}]}}`
	for schema, want := range map[string]string{
		`{"type":["string","null"]}`:                          "text",
		`{"type":["null","integer"]}`:                         "int",
		`{"type":["string","integer"]}`:                       "json",
		`{"type":"null"}`:                                     "json",
		`{"type":[]}`:                                         "json",
		`{"type":5}`:                                          "json",
		`{"anyOf":[{"type":"number"},{"type":"null"}]}`:       "float",
		`{"oneOf":[{"type":"null"},{"type":"boolean"}]}`:      "bool",
		`{"anyOf":[{"type":"string"},{"type":"integer"}]}`:    "json",
		`{"anyOf":[{"type":"string"},{"enum":["a"]}]}`:        "text",
		`{"anyOf":[]}`:                                        "json",
		`{"anyOf":[{"$ref":"#/$defs/Mood"},{"type":"null"}]}`: "text",
		`{"allOf":[{"$ref":"#/$defs/Mood"}],"default":"a"}`:   "text",
		`{"$ref":"#/$defs/Mood"}`:                             "text",
		`{"$ref":"#/$defs/Chain"}`:                            "text",
		`{"$ref":"#/$defs/a~1b~0c%20d"}`:                      "int",
		`{"$ref":"#/$defs/Loop"}`:                             "json",
		`{"$ref":"#/$defs/Deep"}`:                             "json",
		`{"$ref":"#/$defs/None"}`:                             "json",
		`{"$ref":"#/properties/a/deeper"}`:                    "json",
		`{"$ref":"#"}`:                                        "json",
		`{"$ref":"https://example.com/schema"}`:               "json",
		`{"enum":["a","b"]}`:                                  "text",
		`{"enum":[1,2,null]}`:                                 "int",
		`{"enum":[1,"a"]}`:                                    "json",
		`{"enum":[null]}`:                                     "json",
		`{"const":true}`:                                      "bool",
		`{"const":1.5}`:                                       "float",
		`{"const":{"a":1}}`:                                   "json",
		`{}`:                                                  "json",
		`true`:                                                "json",
		`"text"`:                                              "json",
		`{"anyOf":[true]}`:                                    "json",
		`{"type":"string","anyOf":[{"minLength":1},{"enum":[]}]}`: "text",
	} {
		columns, err := sink.SchemaColumns(json.RawMessage(`{"type":"object","properties":{"a":` + schema + `}` + defs + `}`))
		require.NoError(t, err, schema)
		require.Equal(t, "a:"+want, describe(columns), schema)
	}
}

func TestASchemaMayReferToItsObject(t *testing.T) {
	columns, err := sink.SchemaColumns(json.RawMessage(
		`{"$ref":"#/definitions/Review","definitions":{"Review":{"properties":{"b":{"type":"string"},"a":{"type":"integer"}}}}}`))
	require.NoError(t, err)
	require.Equal(t, "b:text a:int", describe(columns))
}

func TestASchemaWithoutColumnsIsRefused(t *testing.T) {
	for schema, want := range map[string]string{
		`{"type":"array","items":{}}`:       "a table needs a schema of an object: its properties become the columns",
		`{"type":"string"}`:                 "a table needs a schema of an object: its properties become the columns",
		`{}`:                                "a table needs a schema of an object: its properties become the columns",
		`{"$ref":"#/$defs/a"}`:              "a table needs a schema of an object: its properties become the columns",
		`null`:                              "a table needs a schema of an object: its properties become the columns",
		`{"type":"object"}`:                 "a table needs a schema with properties: they become the columns",
		`{"type":"object","properties":{}}`: "a table needs a schema with properties: they become the columns",
		`{"type":"object","properties":[]}`: "reading the schema's properties: want a JSON object, got []",
		`{"type":`:                          "reading the schema: unexpected end of JSON input",
		``:                                  "reading the schema: unexpected end of JSON input",
		`[]`:                                "reading the schema: json: cannot unmarshal array into Go value of type sink.schemaNode",
	} {
		_, err := sink.SchemaColumns(json.RawMessage(schema))
		require.EqualError(t, err, want, schema)
	}
}

// FuzzSchemaColumns says that any schema is refused or makes columns.
func FuzzSchemaColumns(f *testing.F) {
	for _, schema := range []string{
		`{"type":"object","properties":{"a":{"type":["string","null"]},"b":true,"A":{"enum":[1]}}}`,
		`{"properties":{"a":{"anyOf":[{"$ref":"#/$defs/x"},{"type":"null"}]}},"$defs":{"x":{"$ref":"#/$defs/x"}}}`,
		`{"type":"object","properties":{"":{"const":null},"a":{"allOf":[{"type":5}]},"a":{}}}`, `[]`, `{"$ref":"#/"}`,
	} {
		f.Add([]byte(schema))
	}
	f.Fuzz(func(t *testing.T, schema []byte) {
		columns, err := sink.SchemaColumns(schema)
		require.Equal(t, err == nil, len(columns) > 0)
		for _, c := range columns {
			require.NotContains(t, c.Type.String(), "ColumnType(")
		}
	})
}
