package tool_test

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/tool"
)

func ExampleNew() {
	type arguments struct {
		Location string `json:"location" jsonschema_description:"city and country"`
		Unit     string `json:"unit,omitempty" jsonschema:"enum=celsius,enum=fahrenheit"`
	}
	getWeather := tool.New("get_weather", "Tells the current weather.",
		func(_ context.Context, a arguments) (map[string]any, error) {
			if a.Location != "Paris" {
				return nil, fmt.Errorf("no location %q", a.Location)
			}
			return map[string]any{"temperature": 21, "sky": "clear"}, nil
		})
	getWeather.ReadOnly = true

	executions := tool.Run(context.Background(), []batch.Tool{getWeather}, []batch.ToolCall{
		{Name: "get_weather", Arguments: `{"location": "Paris"}`},
		{Name: "get_weather", Arguments: `{"location": "Atlantis"}`},
		{Name: "get_weather", Arguments: `{"unit": "kelvin"}`},
	}, tool.RunOptions{Timeout: time.Minute})
	for _, e := range executions {
		fmt.Println(e.Result)
	}
	// Output:
	// {"sky":"clear","temperature":21}
	// error: no location "Atlantis"
	// error: arguments: at "/location": missing property; at "/unit": value must be one of 'celsius', 'fahrenheit'
}

func ExampleRun() {
	calls := []batch.ToolCall{
		{Name: "calculate", Arguments: `{"expression": "123 * 456"}`},
		{Name: "calculator", Arguments: `{"expression": "123 * 456"}`},
	}
	for _, e := range tool.Run(context.Background(), tool.Builtins(), calls, tool.RunOptions{Timeout: time.Minute}) {
		fmt.Println(e.ToolName, e.Error, e.Result)
	}
	// Output:
	// calculate false 56088
	// calculator true error: unknown tool "calculator"; the tools are: calculate, now
}

func ExampleCalculate() {
	calculate := tool.Calculate()
	for _, expression := range []string{"0.1 + 0.2", "2 ^ 100", "sqrt(2)", "1 / 0"} {
		text, err := calculate.Call(context.Background(), fmt.Appendf(nil, `{"expression": %q}`, expression))
		if err != nil {
			fmt.Println("error:", err)
			continue
		}
		fmt.Println(text)
	}
	// Output:
	// 0.3
	// 1267650600228229401496703205376
	// 1.4142135623730951
	// error: division by zero
}

func ExampleNow() {
	_, err := tool.Now().Call(context.Background(), []byte(`{"timezone": "Berlin"}`))
	fmt.Println(err)
	// Output:
	// unknown timezone "Berlin"; use an IANA name such as "Europe/Berlin", or leave it out for UTC
}

func ExampleBuiltins() {
	for _, builtin := range tool.Builtins() {
		fmt.Println(builtin.Name)
	}
	// Output:
	// calculate
	// now
}

func ExampleSelect() {
	tools, err := tool.Select(tool.Builtins(), "calculate")
	fmt.Println(len(tools), err)
	_, err = tool.Select(tool.Builtins(), "calculator")
	fmt.Println(err)
	// Output:
	// 1 <nil>
	// unknown tool "calculator"; the tools are: calculate, now
}

func ExampleStrictSchema() {
	type answer struct {
		Stars int     `json:"stars"`
		Note  *string `json:"note"`
	}
	schema, err := tool.StrictSchema(reflect.TypeFor[answer]())
	fmt.Println(string(schema), err)
	// Output:
	// {"properties":{"stars":{"type":"integer"},"note":{"anyOf":[{"type":"string"},{"type":"null"}]}},"additionalProperties":false,"type":"object","required":["stars","note"],"title":"answer"} <nil>
}

func ExampleFromSchema() {
	schema := []byte(`{"properties": {"city": {"type": "string"}}, "required": ["city"]}`)
	weather, err := tool.FromSchema("get_weather", "Tells the weather.", schema,
		func(_ context.Context, arguments json.RawMessage) (string, error) {
			return "sunny for " + string(arguments), nil
		})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range tool.Run(context.Background(), []batch.Tool{weather}, []batch.ToolCall{
		{Name: "get_weather", Arguments: `{"city": "Tokyo"}`},
		{Name: "get_weather", Arguments: `{"town": "Tokyo"}`},
	}, tool.RunOptions{}) {
		fmt.Println(e.Result)
	}
	// Output:
	// sunny for {"city": "Tokyo"}
	// error: arguments: at "/city": missing property
}

func ExampleApproveReadOnly() {
	tools := []batch.Tool{tool.Now(), {Name: "delete_file", Destructive: true, Call: tool.Now().Call}}
	options := tool.RunOptions{Approve: tool.ApproveReadOnly}
	for _, e := range tool.Run(context.Background(), tools, []batch.ToolCall{{Name: "now"}, {Name: "delete_file"}}, options) {
		fmt.Println(e.ToolName, e.Refused)
	}
	// Output:
	// now false
	// delete_file true
}

func ExampleRefusedError() {
	options := tool.RunOptions{Approve: func(_ context.Context, t *batch.Tool, arguments json.RawMessage) error {
		return &tool.RefusedError{Reason: "no sums on Sundays"}
	}}
	calls := []batch.ToolCall{{Name: "calculate", Arguments: `{"expression": "1 + 1"}`}}
	fmt.Println(tool.Run(context.Background(), tool.Builtins(), calls, options)[0].Result)
	// Output:
	// error: refused: no sums on Sundays
}

func ExampleCutError() {
	readLog := tool.New("read_log", "Reads the log.", func(context.Context, struct{}) (string, error) {
		return "the first line", &tool.CutError{Size: 1 << 20}
	})
	e := tool.Run(context.Background(), []batch.Tool{readLog}, []batch.ToolCall{{Name: "read_log"}}, tool.RunOptions{})[0]
	fmt.Println(e.Result)
	fmt.Println(e.Error, e.ResultBytes)
	// Output:
	// the first line
	// [cut: the first 14 of 1048576 bytes]
	// false 1048576
}

func ExampleRedact() {
	const key = "sk-12345"
	fetch := tool.New("fetch", "Fetches a page.", func(context.Context, struct{}) (string, error) {
		return "", fmt.Errorf("https://example.com/?key=%s: not found", key)
	})
	e := tool.Run(context.Background(), []batch.Tool{tool.Redact(fetch, key)}, []batch.ToolCall{{Name: "fetch"}}, tool.RunOptions{})[0]
	fmt.Println(e.Result)
	// Output:
	// error: https://example.com/?key=[secret]: not found
}
