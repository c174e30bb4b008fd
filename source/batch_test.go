package source_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/source/sourcetest"
	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

func TestBatchConforms(t *testing.T) {
	sourcetest.Run(t, func(t *testing.T, requests []batch.Request) batch.Source {
		t.Helper()
		src := source.Batch(strings.NewReader(batchLines(t, requests)), source.BatchOptions{})
		return &restored{Source: src, t: t, requests: requests}
	})
}

func TestOpenBatchConforms(t *testing.T) {
	for name, compressed := range compressors {
		t.Run(name, func(t *testing.T) {
			sourcetest.Run(t, func(t *testing.T, requests []batch.Request) batch.Source {
				t.Helper()
				src, err := source.OpenBatch(writeFile(t, compressed(t, batchLines(t, requests))), source.BatchOptions{})
				require.NoError(t, err)
				return &restored{Source: src, t: t, requests: requests}
			})
		})
	}
}

// restored gives requests back what a batch file can't hold of them.
type restored struct {
	batch.Source
	t        *testing.T
	requests []batch.Request
}

func (r *restored) Next(ctx context.Context) (*batch.Item, error) {
	item, err := r.Source.Next(ctx)
	if err != nil {
		return nil, err
	}
	require.Nil(r.t, item.Result)
	i := slices.IndexFunc(r.requests, func(q batch.Request) bool { return q.ID == item.Request.ID })
	want := inBatch(r.requests[i])
	require.Equal(r.t, &want, item.Request)
	item.Request = &r.requests[i]
	return item, nil
}

// inBatch returns what a batch file can hold of a request.
func inBatch(r batch.Request) batch.Request {
	kept := batch.Request{ID: r.ID, Model: "m", Messages: r.Messages, Params: r.Params}
	if r.UserMessage != "" {
		kept.Messages = []batch.Message{batch.UserMessage(r.UserMessage)}
	}
	return kept
}

func batchLines(t *testing.T, requests []batch.Request) string {
	t.Helper()
	var lines strings.Builder
	for _, r := range requests {
		r = inBatch(r)
		body, err := llm.AppendBody(nil, &llm.Call{Model: r.Model, Messages: r.Messages, Params: r.Params})
		require.NoError(t, err)
		fmt.Fprintf(&lines, `{"custom_id":%q,"method":"POST","url":"/v1/chat/completions","body":%s}`+"\n", r.ID, body)
	}
	return lines.String()
}

func batchRequest(t *testing.T, line string, options source.BatchOptions) *batch.Request {
	t.Helper()
	item := next(t, source.Batch(strings.NewReader(line), options))
	if item.Result != nil {
		require.Empty(t, item.Result.Error)
	}
	return item.Request
}

func TestABatchLineBecomesARequest(t *testing.T) {
	r := batchRequest(t, `{"custom_id":"r1","method":"POST","url":"/v1/chat/completions","priority":3,"body":{"model":"gpt-4o",`+
		`"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":[{"type":"image_url","detail":"low"}],"x":1}],`+
		`"tools":[{"type":"function","function":{"name":"now","strict":true}},{"type":"web_search"}],`+
		`"response_format":{"type":"json_object"},"temperature":0,"logprobs":false,"top_k":1e1,"seed":12345678901234567890,`+
		`"chat_template_kwargs":{ "a": null },"tool_choice":"auto","stop":null,"stream":false,"max_tokens":5}}`,
		source.BatchOptions{Provider: "openai"})
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	require.Equal(t, &batch.Request{
		ID: "r1", Model: "openai:gpt-4o",
		Messages: []batch.Message{
			batch.SystemMessage("Be brief."),
			{
				Role: "user", Content: raw(`[{"type":"image_url","detail":"low"}]`),
				Extra: map[string]json.RawMessage{"x": raw("1")},
			},
		},
		Tools: []batch.Tool{
			{Name: "now", Raw: raw(`{"type":"function","function":{"name":"now","strict":true}}`)},
			{Raw: raw(`{"type":"web_search"}`)},
		},
		ResponseFormat: raw(`{"type":"json_object"}`),
		Params: map[string]any{
			"temperature": raw("0"), "logprobs": raw("false"), "top_k": raw("1e1"), "seed": raw("12345678901234567890"),
			"chat_template_kwargs": raw(`{ "a": null }`), "tool_choice": raw(`"auto"`), "stop": raw("null"),
			"stream": raw("false"), "max_tokens": raw("5"),
		},
	}, r)

	r = batchRequest(t, `{"custom_id":"e1","method":"POST","url":"/v1/embeddings","body":{"model":"m","input":["a", "b"],"dimensions":8}}`,
		source.BatchOptions{})
	require.Equal(t, &batch.Request{
		ID: "e1", Model: "m", Input: raw(`["a", "b"]`), Params: map[string]any{"dimensions": raw("8")},
	}, r)
}

func TestTheModelOfABodyIsOfItsProviderOrOverridden(t *testing.T) {
	for _, c := range []struct {
		model, want string
		options     source.BatchOptions
	}{
		{`"m"`, "m", source.BatchOptions{}},
		{`"ft:gpt-4o:org::id"`, "openai:ft:gpt-4o:org::id", source.BatchOptions{Provider: "openai"}},
		{`null`, "", source.BatchOptions{Provider: "openai"}},
		{`"m"`, "mock:echo", source.BatchOptions{Provider: "openai", OverrideModel: "mock:echo"}},
		{`null`, "mock:echo", source.BatchOptions{OverrideModel: "mock:echo"}},
	} {
		r := batchRequest(t, `{"body":{"messages":[],"model":`+c.model+`}}`, c.options)
		require.Equal(t, c.want, r.Model)
		require.Equal(t, "line-1", r.ID)
		require.NotContains(t, r.Params, "model")
	}
}

func TestTheURLMayBeWholeOrShortOrLeftOut(t *testing.T) {
	for _, url := range []string{
		`"url":"/v1/chat/completions",`, `"url":"/chat/completions",`, `"url":"https://api.openai.com/v1/chat/completions",`,
		`"url":"https://x.openai.azure.com/openai/deployments/d/chat/completions?api-version=1",`, ``, `"url":null,"method":null,`,
		`"url":"/v1/chat/completions/","method":"post",`,
	} {
		require.NotNil(t, batchRequest(t, `{`+url+`"body":{"messages":[]}}`, source.BatchOptions{}).Messages, url)
	}
	for _, url := range []string{"/v1/embeddings", "/embeddings", "https://api.openai.com/v1/embeddings"} {
		require.NotNil(t, batchRequest(t, `{"url":"`+url+`","body":{"input":"a"}}`, source.BatchOptions{}).Input, url)
	}
}

func TestAnEmptyListOfToolsMeansNoneWhateverTheRunHas(t *testing.T) {
	for tools, want := range map[string][]batch.Tool{`"tools":[],`: {}, `"tools":null,`: {}, ``: nil} {
		require.Equal(t, want, batchRequest(t, `{"body":{`+tools+`"messages":[]}}`, source.BatchOptions{}).Tools, tools)
	}
}

func TestABatchLineThatCannotBeSentAsItIsMeantFailsAndSaysWhere(t *testing.T) {
	urls := `: field "url": want /v1/chat/completions or /v1/embeddings, got `
	for line, want := range map[string]string{
		`{"custom_id":"a", oops}`:       `line-2: line 2, column 19: invalid character 'o'`,
		`[1]`:                           `line-2: line 2: want a JSON object, got [1]`,
		`null`:                          `line-2: line 2: want a JSON object, got null`,
		`{"custom_id":1,"body":{}}`:     `line-2: line 2: field "custom_id": want a text, got 1`,
		`{"custom_id":"a"}`:             `a: line 2: field "body" is missing`,
		`{"custom_id":"a","body":null}`: `a: line 2: field "body" is missing`,
		`{"custom_id":"a","body":[]}`:   `a: line 2: field "body": want a JSON object, got []`,
		`{"custom_id":"a","method":"GET","body":{}}`:                  `a: line 2: field "method": want POST, got "GET"`,
		`{"custom_id":"a","url":"/v1/responses","body":{"input":""}}`: `a: line 2` + urls + `"/v1/responses"`,
		`{"custom_id":"a","url":"/v1/completions","body":{}}`:         `a: line 2` + urls + `"/v1/completions"`,
		`{"custom_id":"a","url":"v1/rerank","body":{}}`:               `a: line 2` + urls + `"v1/rerank"`,
		`{"custom_id":"a","url":7,"body":{}}`:                         `a: line 2: field "url": want a text, got 7`,
		`{"custom_id":"a","body":{}}`:                                 `a: line 2: field "body": field "messages" is missing`,
		`{"url":"/v1/embeddings","body":{"messages":[]}}`:             `line-2: line 2: field "body": field "input" is missing`,
		`{"body":{"messages":[],"stream":true}}`:                      `line-2: line 2: field "body": field "stream": answers are read whole: leave it out`,
		`{"body":{"messages":[],"stream_options":{}}}`:                `line-2: line 2: field "body": field "stream_options": answers are read whole: leave it out`,
		`{"body":{"messages":[],"model":{}}}`:                         `line-2: line 2: field "body": field "model": want a text, got {}`,
		`{"body":{"messages":"a"}}`:                                   `line-2: line 2: field "body": field "messages": want a list of messages, got "a"`,
		`{"body":{"messages":[{"role":"user"},{"role":1}]}}`:          `line-2: line 2: field "body": field "messages": message 2: field "role": want a text, got 1`,
		`{"body":{"messages":[],"tools":[{"function":{}}]}}`:          `line-2: line 2: field "body": field "tools": tool 1: a tool's definition needs a name, got {"function":{}}`,
		"{\"custom_id\":\"\xff\"}":                                    `line-2: line 2, column 15: not valid UTF-8`,
		`{"custom_id":"` + strings.Repeat("a", 300):                   `line-2: line 2: longer than the allowed 200 bytes`,
	} {
		t.Run(line[:min(len(line), 60)], func(t *testing.T) {
			good := `{"body":{"messages":[]}}`
			src := source.Batch(strings.NewReader(good+"\n"+line+"\n"+good+"\n"), source.BatchOptions{MaxLineBytes: 200})
			next(t, src)
			item := next(t, src)
			require.NotNil(t, item.Result)
			require.Nil(t, item.Request)
			require.Equal(t, "line 2", item.Origin)
			require.ErrorIs(t, item.Result.Err, batch.ErrInvalidRequest)
			got := item.Result.ID + ": " + item.Result.Error
			require.True(t, strings.HasPrefix(got, want), "%s\n%s", got, want)
			if len(line) <= 200 {
				require.Equal(t, batch.FingerprintRecord([]byte(line)), item.Result.Fingerprint)
			}
			require.Equal(t, "line-3", next(t, src).Request.ID, "the run goes on")
		})
	}
}

func TestBatchLinesAreToldFromOtherRequests(t *testing.T) {
	for line, want := range map[string]bool{
		`{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{}}`: true,
		`{"url":"/v1/chat/completions","body":{}}`:                                 true,
		`{"custom_id":"a","body":{}}`:                                              true,
		`{"body":{}}`:                                                              false,
		`{"id":"a","user_message":"b","metadata":{"custom_id":1,"body":2}}`:        false,
		`{"custom_id":"a","method":"POST","body":{"messages":[{"content":"data:`:   true,
		`{"id":"a","user_message":"data:`:                                          false,
		`{"custom_id":"a`:                                                          false,
		`["custom_id","body"]`:                                                     false,
		``:                                                                         false,
	} {
		require.Equal(t, want, source.IsBatchLine([]byte(line)), line)
	}
}

func TestBatchRequestsKeepNothingOfTheReadersMemory(t *testing.T) {
	line := `{"custom_id":"%[1]s","body":{"model":"%[1]s","messages":[{"role":"%[1]s","content":"%[1]s","x":"%[1]s"}],` +
		`"tools":[{"type":"function","function":{"name":"%[1]s"}}],"response_format":"%[1]s","x":"%[1]s"}}` + "\n"
	var input strings.Builder
	for i := range 3000 { // several read buffers
		fmt.Fprintf(&input, line, fmt.Sprintf("value-%04d", i))
	}
	src := source.Batch(strings.NewReader(input.String()), source.BatchOptions{})
	var got []*batch.Request
	for range 3000 {
		got = append(got, next(t, src).Request)
	}
	for i, r := range got {
		require.Equal(t, batchRequest(t, fmt.Sprintf(line, fmt.Sprintf("value-%04d", i)), source.BatchOptions{}), r)
	}
}
