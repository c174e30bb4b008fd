package llmtest_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

// askFor sends a chat with a response_format and returns the content of the answer.
func askFor(c *client, text, responseFormat string) string {
	c.t.Helper()
	a, err := c.post(`{"model":"echo","messages":[{"role":"user","content":"` + text + `"}],"response_format":` + responseFormat + `}`)
	require.NoError(c.t, err)
	require.Equal(c.t, 200, a.status, a.body)
	var wire struct {
		Choices []struct {
			Message struct{ Content string }
		}
	}
	require.NoError(c.t, json.Unmarshal([]byte(a.body), &wire))
	return wire.Choices[0].Message.Content
}

func schemaFormat(schema string) string {
	return `{"type":"json_schema","json_schema":{"name":"answer","schema":` + schema + `}}`
}

func TestStructuredAnswersFollowTheirSchema(t *testing.T) {
	_, c := start(t, llmtest.Config{})
	for _, schema := range []string{
		`{"type":"object","properties":{"summary":{"type":"string"},"stars":{"type":"integer","minimum":1,"maximum":5},
			"sentiment":{"enum":["good","bad","mixed"]},"spam":{"type":"boolean"},"tags":{"type":"array","items":{"type":"string"},"minItems":2}},
			"required":["summary","stars","sentiment","spam","tags"],"additionalProperties":false}`,
		`{"type":"object","properties":{"a":{"anyOf":[{"type":"null"},{"type":"number","minimum":0.2,"maximum":0.8}]},
			"b":{"type":["null","integer"],"maximum":-3},"c":{"const":{"x":1}},"d":{"type":"string","maxLength":2},"e":{"type":"string","minLength":9}}}`,
		`{"$defs":{"node":{"type":"object","properties":{"name":{"type":"string"},"next":{"anyOf":[{"$ref":"#/$defs/node"},{"type":"null"}]},
			"all":{"type":"array","items":{"$ref":"#/$defs/node"}}},"required":["name","next","all"]}},"$ref":"#/$defs/node"}`,
		`{"type":"object","properties":{"at":{"type":"string","format":"date-time"},"day":{"type":"string","format":"date"},
			"mail":{"type":"string","format":"email"},"id":{"type":"string","format":"uuid"},"ip":{"type":"string","format":"ipv4"}}}`,
		`{"type":"array","items":{"type":"integer","minimum":9007199254740994,"maximum":9007199254740994}}`,
		`{"properties":{"x":{}}}`, `true`, `{"type":"null"}`, `{"maxItems":0,"type":"array"}`,
	} {
		compiler := jsonschema.NewCompiler()
		compiler.AssertFormat()
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(schema))
		require.NoError(t, err)
		require.NoError(t, compiler.AddResource("mem:///s", doc))
		compiled := compiler.MustCompile("mem:///s")
		for _, text := range []string{"Hi", "a longer question", "ä"} {
			content := askFor(c, text, schemaFormat(schema))
			answer, err := jsonschema.UnmarshalJSON(strings.NewReader(content))
			require.NoError(t, err, content)
			require.NoError(t, compiled.Validate(answer), content)
			require.Equal(t, content, askFor(c, text, schemaFormat(schema)), "the same question, the same answer")
		}
	}
}

func TestStructuredAnswersSayThePromptAndChooseByIt(t *testing.T) {
	_, c := start(t, llmtest.Config{})
	format := schemaFormat(`{"type":"object","required":["text","mood"],"properties":{"mood":{"enum":["good","bad"]},"text":{"type":"string"}}}`)
	require.Contains(t, askFor(c, "one", format), `{"text":"one","mood":"`)
	seen := map[string]bool{}
	for _, text := range []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"} {
		seen[strings.TrimPrefix(askFor(c, text, format), `{"text":"`+text+`",`)] = true
	}
	require.Len(t, seen, 2, "both are chosen")
}

func TestOtherResponseFormats(t *testing.T) {
	_, c := start(t, llmtest.Config{})
	require.Equal(t, `{"answer":"Hi"}`, askFor(c, "Hi", `{"type":"json_object"}`))
	for _, format := range []string{`{"type":"text"}`, `null`, `{"type":1}`, `"x"`} {
		require.Equal(t, "Hi", askFor(c, "Hi", format))
	}
}

func TestASchemaThatAsksForTooMuchIsAnsweredShort(t *testing.T) {
	_, c := start(t, llmtest.Config{})
	content := askFor(c, "Hi", schemaFormat(`{"type":"object","properties":{"a":{"$ref":"#"},"b":{"$ref":"#"},"c":{"$ref":"#"},
		"d":{"$ref":"#/nowhere"}},"required":["a","b","c","d"]}`))
	require.True(t, json.Valid([]byte(content)))
	require.Less(t, len(content), 2<<20)
}
