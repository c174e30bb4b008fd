package llmtest_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

const (
	getWeather = `{"type":"function","function":{"name":"get_weather","parameters":{"type":"object",
		"properties":{"location":{"type":"string"},"unit":{"type":"string"}},"required":["location"]}}}`
	calculate = `{"type":"function","function":{"name":"calculate","parameters":{"type":"object",
		"properties":{"expression":{"type":"string"}},"required":["expression"]}}}`
	lookUp = `{"type":"function","function":{"name":"look-up-orders","parameters":{"type":"object","properties":{
		"query":{"type":"string"},"limit":{"type":"integer"},"min":{"type":["number","null"]},"open":{"type":"boolean"},
		"sort":{"enum":["asc","desc"]},"tags":{"type":"array"},
		"range":{"type":"object","properties":{"from":{"type":"string"}},"required":["from"]},"extra":{"type":"string"}},
		"required":["query","limit","min","open","sort","tags","range"]}}}`
	bare      = `{"type":"function","function":{"name":"now"}}`
	cityTool  = `{"type":"function","function":{"name":"visit","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}`
	webSearch = `{"type":"web_search"}`
)

func TestServerCallsTheToolsThatTheMessageAsksFor(t *testing.T) {
	type calls [][2]string
	for name, test := range map[string]struct {
		tools, text, more string
		want              calls
	}{
		"a word of the tool's name": {
			getWeather, "What's the weather in Tokyo?", "", calls{{"get_weather", `{"location":"Tokyo"}`}},
		},
		"arithmetic":        {calculate, "Calculate 123 * 456", "", calls{{"calculate", `{"expression":"123 * 456"}`}}},
		"arithmetic unsaid": {calculate, "(It is (2+3) * -4.5)", "", calls{{"calculate", `{"expression":"(2+3) * -4.5"}`}}},
		"two tools at once": {
			getWeather + "," + calculate, "What's the weather in Paris and what's 50 + 50?", "",
			calls{{"get_weather", `{"location":"Paris"}`}, {"calculate", `{"expression":"50 + 50"}`}},
		},
		"one where calls may not be parallel": {
			getWeather + "," + calculate, "What's the weather in Paris and what's 50 + 50?", `,"parallel_tool_calls":false`,
			calls{{"get_weather", `{"location":"Paris"}`}},
		},
		"a place of several words": {
			getWeather, "How warm is it in New York and why?", "", calls{{"get_weather", `{"location":"New York"}`}},
		},
		"a place that is optional": {cityTool, "In São Paulo now", "", calls{{"visit", `{"city":"São Paulo"}`}}},
		"no place":                 {getWeather, "weather please", "", calls{{"get_weather", `{"location":"weather please"}`}}},
		"arguments by the schema": {
			lookUp, "List my orders", "", calls{{"look-up-orders", `{"query":"List my orders","limit":1,"min":1,"open":true,` +
				`"sort":"asc","tags":[],"range":{"from":"List my orders"}}`}},
		},
		"a word inside another":         {getWeather, "All those sweathers", "", nil},
		"a short name that is a word":   {bare, "What time is it Now?", "", calls{{"now", `{}`}}},
		"a short name inside a word":    {bare, "I know snow", "", nil},
		"a short word of a longer name": {getWeather, "now get up", "", nil},
		"nothing of the sort":           {getWeather + "," + calculate, "Hello there", "", nil},
		"tool_choice none":              {calculate, "Calculate 1 + 1", `,"tool_choice":"none"`, nil},
		"tool_choice required": {
			webSearch + "," + bare + "," + calculate, "Hi", `,"tool_choice":"required"`, calls{{"now", `{}`}},
		},
		"tool_choice names one": {
			calculate + "," + bare, "1 + 1", `,"tool_choice":{"type":"function","function":{"name":"now"}}`, calls{{"now", `{}`}},
		},
		"tool_choice auto":          {calculate, "1 + 1", `,"tool_choice":"auto"`, calls{{"calculate", `{"expression":"1 + 1"}`}}},
		"a tool that's no function": {webSearch, "web search web_search", "", nil},
		"no tools":                  {"", "Calculate 1 + 1", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, client := start(t, llmtest.Config{})
			a, err := client.post(`{"model":"m","messages":[{"role":"user","content":` + strconv.Quote(test.text) + `}],"tools":[` +
				test.tools + `]` + test.more + `}`)
			require.NoError(t, err)
			require.Equal(t, 200, a.status, a.body)
			choice := a.completion(t).Choices[0]
			if test.want == nil {
				require.Equal(t, test.text, *choice.Message.Content)
				require.Equal(t, "stop", choice.FinishReason)
				require.NotContains(t, a.body, "tool_calls")
				return
			}
			require.Nil(t, choice.Message.Content)
			require.Equal(t, "tool_calls", choice.FinishReason)
			var got calls
			ids := map[string]bool{}
			for _, call := range choice.Message.ToolCalls {
				require.Equal(t, "function", call.Type)
				ids[call.ID] = true
				got = append(got, [2]string{call.Function.Name, call.Function.Arguments})
			}
			require.Equal(t, test.want, got)
			require.Len(t, ids, len(got), "each call has an id of its own")
		})
	}
}

func TestServerAnswersWithTheToolsResultsOnceTheyAreBack(t *testing.T) {
	_, client := start(t, llmtest.Config{})
	a, err := client.post(`{"model":"m","tools":[` + getWeather + `,` + calculate + `],"messages":[
		{"role":"user","content":"1 + 1"},{"role":"tool","tool_call_id":"old","content":"an earlier result"},
		{"role":"user","content":[{"type":"text","text":"What's the weather in Paris "},{"type":"text","text":"and 50 + 50?"}]},
		{"role":"assistant","content":null,"tool_calls":[
			{"id":"a","type":"function","function":{"name":"get_weather","arguments":"{}"}},
			{"id":"b","type":"function","function":{"name":"calculate","arguments":"{}"}}]},
		{"role":"tool","tool_call_id":"a","content":"Sunny"},
		{"role":"tool","tool_call_id":"b","content":[{"type":"text","text":"100"}]}]}`)
	require.NoError(t, err)
	choice := a.completion(t).Choices[0]
	require.Equal(t, "Sunny; 100", *choice.Message.Content)
	require.Equal(t, "stop", choice.FinishReason)
}
