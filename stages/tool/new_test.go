package tool_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/invopop/jsonschema"
	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/tool"
)

func TestArgumentsThatBreakTheSchemaGetAnErrorTheModelCanActOn(t *testing.T) {
	type number struct {
		Small int8 `json:"small"`
	}
	type when struct {
		At time.Time `json:"at"`
	}
	for _, test := range []struct {
		tool      batch.Tool
		arguments string
		want      string
	}{
		{schemaOf[weather](), `{}`, `at "/location": missing property`},
		{schemaOf[weather](), `{"location": "Paris", "city": "Paris"}`, `at "/city": unknown property`},
		{schemaOf[weather](), `{"city": "Paris"}`, `at "/city": unknown property; at "/location": missing property`},
		{schemaOf[weather](), `{"location": 5}`, `at "/location": got number, want string`},
		{schemaOf[weather](), `{"location": null}`, `at "/location": got null, want string`},
		{
			schemaOf[weather](), `{"location": "Paris", "unit": "kelvin"}`,
			`at "/unit": value must be one of 'celsius', 'fahrenheit'`,
		},
		{schemaOf[weather](), `{"location": "Paris", "days": 1.5}`, `at "/days": got number, want integer`},
		{schemaOf[weather](), `{"location": "Paris", "days": 1e999}`, `the number 1e999 is too large`},
		{
			schemaOf[order](), `{"reason": "", "customer": {"name": "A", "phone": 5}, "lines": []}`,
			`at "/customer/phone": got number, want null; at "/customer/phone": got number, want string; ` +
				`at "/lines": minItems: got 0, want 1`,
		},
		{
			schemaOf[map[string]int](), `{"a/b~c": "x"}`, `at "/a~1b~0c": got string, want integer`,
		},
		{
			schemaOf[map[string]int](), `{"a":"","b":"","c":"","d":"","e":"","f":"","g":""}`,
			`at "/a": got string, want integer; at "/b": got string, want integer; at "/c": got string, want integer; ` +
				`at "/d": got string, want integer; at "/e": got string, want integer; and 2 more`,
		},
		{schemaOf[number](), `{"small": 300}`, `at "/small": number 300 doesn't fit, want int8`},
		{schemaOf[when](), `{"at": "tomorrow"}`, `at "/at": 'tomorrow' is not valid date-time`},
	} {
		e := runOne(t, test.tool, test.arguments)
		require.True(t, e.Error, test.arguments)
		require.True(t, strings.HasPrefix(e.Result, "error: arguments: "+test.want), "%s: %s", test.arguments, e.Result)
	}
}

func TestArgumentsReachTheFunctionAsTheModelMeantThem(t *testing.T) {
	tools := map[string]batch.Tool{
		"order": schemaOf[order](), "weather": schemaOf[weather](), "scalars": schemaOf[scalars](),
		"free": schemaOf[map[string]any](), "empty": schemaOf[struct{}](),
	}
	for _, test := range []struct{ tool, arguments, want string }{
		{"weather", `{"location": "Paris", "days": 3.0}`, `{"location":"Paris","days":3}`},
		{"weather", `{"location": "<Paris>", "days": 1e1, "unit": null}`, `{"location":"<Paris>","days":10}`},
		{
			"order",
			`{"reason":"r","customer":{"name":"A","phone":null},"lines":[{"sku":"ABC-1","quantity":2,"price":9.5}],"tags":["urgent"]}`,
			`{"reason":"r","customer":{"name":"A","phone":null},"lines":[{"sku":"ABC-1","quantity":2,"price":9.5}],"tags":["urgent"]}`,
		},
		{
			"scalars",
			`{"when":"2026-03-01T10:00:00Z","server":"::1","amount":123456789012345678901234567890,"data":"AQI=","raw":{"z":1,"a":0.10},
			  "any":[1,null],"pair":[1,2],"wait":1000,"Flag":true}`,
			`{"when":"2026-03-01T10:00:00Z","server":"::1","amount":123456789012345678901234567890,"data":"AQI=","raw":{"a":0.10,"z":1},` +
				`"any":[1,null],"pair":[1,2],"wait":1000,"Flag":true}`,
		},
		{"free", `{"a": null, "b": 1.5}`, `{"a":null,"b":1.5}`},
		{"empty", `null`, `{}`},
	} {
		e := runOne(t, tools[test.tool], test.arguments)
		require.False(t, e.Error, e.Result)
		require.Equal(t, test.want, e.Result, test.arguments)
	}
}

type city string

type stringer struct{ Name string }

func (stringer) String() string { return "not this" }

func TestResultsBecomeText(t *testing.T) {
	for want, answer := range map[string]batch.Tool{
		"plain <b>text</b>":              returning("plain <b>text</b>"),
		"Paris":                          returning(city("Paris")),
		"bytes":                          returning([]byte("bytes")),
		`{"as": "it is"}`:                returning(json.RawMessage(`{"as": "it is"}`)),
		`{"Name":"<a & b>"}`:             returning(stringer{"<a & b>"}),
		"2026-03-01T10:00:00Z":           returning(time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)),
		"42":                             returning(42),
		"1.5":                            returning(1.5),
		"true":                           returning(true),
		"[1,2]":                          returning([]int{1, 2}),
		"null":                           returning[any](nil),
		`{"a":1}`:                        returning(map[string]int{"a": 1}),
		"error: encoding the result":     returning(math.NaN()),
		"error: encoding the result: js": returning[any](make(chan int)),
	} {
		e := runOne(t, answer, "")
		if e.Error {
			require.Contains(t, e.Result, want)
			continue
		}
		require.Equal(t, want, e.Result)
	}
}

func returning[Out any](out Out) batch.Tool {
	return tool.New("returning", "", func(context.Context, struct{}) (Out, error) { return out, nil })
}

type tree struct {
	Children []tree `json:"children"`
}

type external struct{}

func (external) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "object", Properties: jsonschema.NewProperties(), Ref: "file:///etc/passwd"}
}

type faulty struct{}

func (faulty) JSONSchema() *jsonschema.Schema { panic("no schema today") }

func TestMisuseOfNewPanicsWithTheReason(t *testing.T) {
	type channel struct{ C chan int }
	type deep struct{ Inner []map[string]*channel }
	type reader struct {
		R interface{ Read([]byte) (int, error) }
	}
	type pattern struct {
		P string `jsonschema:"pattern=("`
	}
	type keys struct{ M map[float64]string }
	for want, misuse := range map[string]func(){
		`gluepipe: tool.New("get weather"): a name has`:                                        func() { named[struct{}]("get weather") },
		`gluepipe: tool.New(""): a name has`:                                                   func() { named[struct{}]("") },
		`gluepipe: tool.New("` + strings.Repeat("a", 65):                                       func() { named[struct{}](strings.Repeat("a", 65)) },
		`gluepipe: tool.New("t"): the function is nil`:                                         func() { tool.New[struct{}, string]("t", "", nil) },
		`the arguments must be a struct or a map with string keys, not string`:                 func() { named[string]("t") },
		`the arguments must be a struct or a map with string keys, not *tool_`:                 func() { named[*weather]("t") },
		`the arguments must be a struct or a map with string keys, not map[int]`:               func() { named[map[int]string]("t") },
		`must be a struct or a map with string keys, not time.Time`:                            func() { named[time.Time]("t") },
		`must be a struct or a map with string keys, not interface`:                            func() { named[any]("t") },
		`field C: chan int can't be read from JSON`:                                            func() { named[deep]("t") },
		`field R: interface { Read`:                                                            func() { named[reader]("t") },
		`field M: map[float64]string can't be read from JSON`:                                  func() { named[keys]("t") },
		`field Children: tool_test.tree contains itself`:                                       func() { named[tree]("t") },
		`gluepipe: tool.New("t"): compiling the schema`:                                        func() { named[pattern]("t") },
		`refers to nothing outside itself`:                                                     func() { named[external]("t") },
		`making the schema: no schema today`:                                                   func() { named[faulty]("t") },
		`gluepipe: tool.New("returning"): a result of type chan int can't be turned into text`: func() { returning(make(chan int)) },
	} {
		message, ok := panicOf(misuse).(string)
		require.True(t, ok, want)
		require.True(t, strings.HasPrefix(message, `gluepipe: tool.New(`), message)
		require.Contains(t, message, want)
	}
}

func named[Args any](name string) batch.Tool {
	return tool.New(name, "", func(context.Context, Args) (string, error) { return "", nil })
}

func panicOf(f func()) (value any) {
	defer func() { value = recover() }()
	f()
	return nil
}

func TestAToolFromNewCanBeCalledByManyAtOnce(t *testing.T) {
	echo := schemaOf[weather]()
	calls := make([]batch.ToolCall, 50)
	for i := range calls {
		calls[i] = batch.ToolCall{Name: "typed", Arguments: `{"location": "Paris", "days": 2.0}`}
	}
	for _, e := range tool.Run(t.Context(), []batch.Tool{echo}, calls, minute) {
		require.JSONEq(t, `{"location":"Paris","days":2}`, e.Result)
	}
}

func TestErrorsOfTheFunctionReachTheCallerUnchanged(t *testing.T) {
	want := errors.New("no location")
	failing := answering("failing", func(context.Context) (string, error) { return "", want })
	_, err := failing.Call(t.Context(), json.RawMessage("{}"))
	require.ErrorIs(t, err, want)
	_, err = failing.Call(t.Context(), json.RawMessage("{"))
	require.ErrorContains(t, err, "arguments: not JSON")
}
