package schema_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/internal/schema"
)

// object is a strict schema of an object with one property.
func object(property string) string {
	return `{"type":"object","properties":{"a":` + property + `},"required":["a"],"additionalProperties":false}`
}

func TestAStrictSchemaIsKnown(t *testing.T) {
	for _, data := range []string{
		`{"type":"object","additionalProperties":false}`,
		`{"$schema":"https://json-schema.org/draft/2020-12/schema","title":"T","description":"d","type":"object","additionalProperties":false}`,
		object(`{"type":["string","null"],"description":"d"}`),
		object(`{"enum":["x","y"]}`),
		object(`{"const":1}`),
		object(`{"anyOf":[{"type":"null"},` + object(`{"type":"boolean"}`) + `]}`),
		object(`{"type":"array","items":{"type":"integer","minimum":1},"minItems":1}`),
		object(`{"type":"string","format":"date-time"}`),
		`{"$defs":{"n":` + object(`{"$ref":"#"}`) + `},` + object(`{"$ref":"#/$defs/n"}`)[1:],
		nested(9),
	} {
		require.NoError(t, schema.CheckStrict([]byte(data)), data)
	}
}

func nested(levels int) string {
	inner := `{"type":"string"}`
	for range levels {
		inner = object(inner)
	}
	return inner
}

func TestWhatKeepsASchemaFromStrictModeIsSaid(t *testing.T) {
	many := `"` + strings.Join(strings.Fields(strings.Repeat("x ", 1001)), `","`) + `"`
	for data, want := range map[string]string{
		`[]`:                           "a strict schema is an object",
		`null`:                         "a strict schema is an object",
		`{"type":"array"}`:             `of "type": "object"`,
		`{"anyOf":[],"type":"object"}`: `of "type": "object"`,
		`{"type":"object"}`:            `at "": want "additionalProperties": false`,
		`{"type":"object","additionalProperties":false,"properties":{"b":{"type":"null"},"a":{"type":"null"}},"required":["b"]}`: `property "a" is not required`,
		object(`{}`):                               `at "/properties/a": the type is missing`,
		object(`true`):                             `at "/properties/a": want a schema that is an object`,
		object(`{"type":"object"}`):                `at "/properties/a": want "additionalProperties": false`,
		object(`{"type":["object","null"]}`):       `at "/properties/a": want "additionalProperties": false`,
		object(`{"type":"array"}`):                 `at "/properties/a": the items are missing`,
		object(`{"type":"array","items":{}}`):      `at "/properties/a/items": the type is missing`,
		object(`{"anyOf":[{"type":"null"},{}]}`):   `at "/properties/a/anyOf/1": the type is missing`,
		object(`{"type":"string","minLength":1}`):  `"minLength" is not known to strict mode`,
		object(`{"oneOf":[]}`):                     `"oneOf" is not known to strict mode`,
		object(`{"type":"string","format":"uri"}`): `format "uri" is not known to strict mode`,
		object(`{"$ref":"#","description":"x"}`):   "a $ref stands alone",
		object(`{"$ref":"other.json"}`):            "a $ref stands alone",
		object(`{"enum":[` + many + `]}`):          "more than 1000 enum values",
		nested(12):                                 "deeper than 10 levels",
	} {
		require.ErrorContains(t, schema.CheckStrict([]byte(data)), want, data)
	}
}

func TestWhatIsWrongWithAValueIsOneLine(t *testing.T) {
	compiled, err := schema.Compile([]byte(`{"type":"object","properties":{"a/b":{"type":"integer"}},"required":["c","d","e","f","g"],
		"additionalProperties":false}`))
	require.NoError(t, err)
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(`{"a/b":"x","z":1}`))
	require.NoError(t, err)
	require.EqualError(t, schema.Explain(compiled.Validate(doc)), `at "/a~1b": got string, want integer; at "/c": missing property; `+
		`at "/d": missing property; at "/e": missing property; at "/f": missing property; and 2 more`)
	other := fmt.Errorf("other")
	require.Equal(t, other, schema.Explain(other))
}
