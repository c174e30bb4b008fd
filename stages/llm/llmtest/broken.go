package llmtest

import (
	"net/http"

	"github.com/gluepipe/gluepipe/stages/internal/jsonappend"
)

// HTML is a 200 with a web page, as a proxy or a login portal sends it.
func HTML() *Answer {
	return &Answer{
		Header: http.Header{"Content-Type": {"text/html; charset=utf-8"}},
		Body:   []byte("<!DOCTYPE html>\n<html><body><h1>502 Bad Gateway</h1></body></html>\n"),
	}
}

// ErrorInside200 is a 200 whose body is an error object.
func ErrorInside200() *Answer {
	a := unavailable()
	a.Status = http.StatusOK
	return a
}

// NoChoices is a completion whose list of choices is empty.
func NoChoices() *Answer { return completion("") }

// NullContent is a completion that says nothing: its content is null, and it calls no tools.
func NullContent() *Answer {
	return completion(`{"index":0,"message":{"role":"assistant","content":null},"finish_reason":"stop"}`)
}

// NullArguments calls a tool with null in place of its arguments.
func NullArguments(tool string) *Answer {
	name := jsonappend.String(nil, tool)
	return completion(`{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[` +
		`{"id":"call_null","type":"function","function":{"name":` + string(name) + `,"arguments":null}}` +
		`]},"finish_reason":"tool_calls"}`)
}

func completion(choice string) *Answer {
	return &Answer{Body: []byte(`{"id":"chatcmpl-broken","object":"chat.completion","created":1700000000,"model":"broken",` +
		`"choices":[` + choice + `],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`)}
}
