package batch_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestToolsRoundTrip(t *testing.T) {
	for _, line := range []string{
		`"calculate"`,
		`{"type":"function","function":{"name":"f"}}`,
		`{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"},"strict":true},"x":1.0}`,
		`{"function":{"strict":false,"name":"f"}}`,
		`{"type":"web_search","filters":{"n":1.0}}`,
		`{"type":"custom","custom":{"name":"f"}}`,
	} {
		var tool batch.Tool
		requireSameAfterGo(t, []byte(line), &tool)
	}
}

func TestAToolIsReadFromItsNameOrDefinition(t *testing.T) {
	const asItIs = "as it is"
	schema := json.RawMessage(`{"a":1}`)
	for _, test := range []struct {
		line string
		want batch.Tool
		raw  string
	}{
		{line: `"f"`, want: batch.Tool{Name: "f"}},
		{
			line: `{"type":"function","function":{"name":"f","description":"d","parameters":{"a":1}}}`,
			want: batch.Tool{Name: "f", Description: "d", Parameters: schema},
			raw:  asItIs,
		},
		{
			line: `{"name":"f","parameters":{"a":1},"strict":true}`,
			want: batch.Tool{Name: "f", Parameters: schema},
			raw:  `{"type":"function","function":{"name":"f","parameters":{"a":1},"strict":true}}`,
		},
		{
			line: `{"type":"function","name":"f","description":"d"}`,
			want: batch.Tool{Name: "f", Description: "d"},
			raw:  `{"type":"function","function":{"description":"d","name":"f"}}`,
		},
		{
			line: `{"type":"function","function":null,"name":"f","parameters":null}`,
			want: batch.Tool{Name: "f"},
			raw:  `{"type":"function","function":{"name":"f","parameters":null}}`,
		},
		{line: `{"type":"web_search"}`, raw: asItIs},
	} {
		switch test.raw {
		case "":
		case asItIs:
			test.want.Raw = json.RawMessage(test.line)
		default:
			test.want.Raw = json.RawMessage(test.raw)
		}
		var tool batch.Tool
		require.NoError(t, json.Unmarshal([]byte(test.line), &tool), test.line)
		require.Equal(t, test.want, tool, test.line)
	}
}

func TestAToolWithCodeIsWrittenAsItsDefinition(t *testing.T) {
	call := func(context.Context, json.RawMessage) (string, error) { return "", nil }
	for want, tool := range map[string]batch.Tool{
		`{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}}`: {Name: "f", Call: call},
		`{"type":"function","function":{"name":"f","description":"<d>","parameters":{"z":1,"a":2}}}`: {
			Name: "f", Description: "<d>", Parameters: json.RawMessage("{\n\"z\": 1, \"a\": 2}"),
		},
	} {
		require.Equal(t, want, string(encode(t, tool)))
	}
}

func TestAToolThatIsOnlyNamedHasADefinitionToo(t *testing.T) {
	tool := batch.Tool{Name: "f"}
	dst, err := tool.AppendDefinition([]byte("["))
	require.NoError(t, err)
	require.Equal(t, `[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}}`, string(dst))
}

func TestToolExecutionsRoundTrip(t *testing.T) {
	for _, line := range []string{
		`{"tool_name":"f","arguments":{"a":1.0},"result":"4","error":false,"elapsed_time":0.25}`,
		`{"tool_name":"f","arguments":"{oops","result":"arguments are not JSON","error":true,"elapsed_time":0}`,
		`{"tool_name":"f","arguments":null,"result":"","error":false,"elapsed_time":0}`,
		`{"tool_name":"f","server":"s","turn":2,"arguments":{},"result":"4","result_bytes":104857600,"error":false,"elapsed_time":1}`,
		`{"tool_name":"f","turn":1,"arguments":{},"result":"refused","error":true,"refused":true,"elapsed_time":0}`,
	} {
		var e batch.ToolExecution
		requireSameAfterGo(t, []byte(line), &e)
	}
	var e batch.ToolExecution
	require.NoError(t, json.Unmarshal([]byte(`{"tool_name":"f","arguments":null,"elapsed_time":0.001}`), &e))
	require.Equal(t, batch.ToolExecution{ToolName: "f", ElapsedTime: time.Millisecond}, e)
}

func TestAWrongFieldOfAToolExecutionIsNamed(t *testing.T) {
	for input, want := range map[string]string{
		`[]`:                   `want a JSON object, got []`,
		`{"tool_name":1}`:      `field "tool_name": want a text, got 1`,
		`{"result":{}}`:        `field "result": want a text, got {}`,
		`{"turn":"1"}`:         `field "turn": want a whole number, got "1"`,
		`{"result_bytes":1.5}`: `field "result_bytes": want a whole number, got 1.5`,
		`{"refused":1}`:        `field "refused": want true or false, got 1`,
		`{"error":"no"}`:       `field "error": want true or false, got "no"`,
		`{"elapsed_time":"1"}`: `field "elapsed_time": want a number of seconds, got "1"`,
	} {
		var e batch.ToolExecution
		require.EqualError(t, json.Unmarshal([]byte(input), &e), want)
	}
}

func TestADefinitionThatIsNotJSONLeavesTheBufferAsItWas(t *testing.T) {
	for want, tool := range map[string]batch.Tool{
		`parameters of tool "f": `: {Name: "f", Parameters: json.RawMessage("{")},
		`definition of tool "f": `: {Name: "f", Raw: json.RawMessage("{")},
	} {
		dst, err := tool.AppendDefinition([]byte("before"))
		require.ErrorContains(t, err, want)
		require.Equal(t, "before", string(dst))
	}
}
