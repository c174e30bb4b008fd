package mcp

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"
)

func TestEachKindOfContentBecomesTextThatAModelCanRead(t *testing.T) {
	size := int64(3 << 20)
	text := func(s string) sdk.Content { return &sdk.TextContent{Text: s} }
	for want, result := range map[string]sdk.CallToolResult{
		"a\nb":        {Content: []sdk.Content{text("a"), text(""), text("b")}},
		"(no output)": {},
		`{"n":1}`:     {StructuredContent: map[string]any{"n": 1}},
		"one":         {Content: []sdk.Content{text("one")}, StructuredContent: map[string]any{"n": 1}},
		"[image: image/png, 1.2 KiB; it can't be shown here]":              {Content: []sdk.Content{&sdk.ImageContent{MIMEType: "image/png", Data: make([]byte, 1200)}}},
		"[audio: unknown type, 1 byte; it can't be shown here]":            {Content: []sdk.Content{&sdk.AudioContent{Data: []byte{1}}}},
		"[resource file:///a.txt]\nhello":                                  {Content: []sdk.Content{&sdk.EmbeddedResource{Resource: &sdk.ResourceContents{URI: "file:///a.txt", Text: "hello"}}}},
		"[resource file:///a.pdf: a/pdf, 2 bytes; it can't be shown here]": {Content: []sdk.Content{&sdk.EmbeddedResource{Resource: &sdk.ResourceContents{URI: "file:///a.pdf", MIMEType: "a/pdf", Blob: []byte{1, 2}}}}},
		"[link to file:///b; b.txt; the second file; text/plain; 3.0 MiB]": {Content: []sdk.Content{&sdk.ResourceLink{URI: "file:///b", Name: "b.txt", Description: "the second file", MIMEType: "text/plain", Size: &size}}},
		"[link to x:y]": {Content: []sdk.Content{&sdk.ResourceLink{URI: "x:y"}}},
		"{\"n\":1}\n[image: image/png, 0 bytes; it can't be shown here]": {Content: []sdk.Content{&sdk.ImageContent{MIMEType: "image/png"}}, StructuredContent: map[string]any{"n": 1}},
		"[content of a kind that can't be shown here]":                   {Content: []sdk.Content{&sdk.ToolUseContent{}}}, //nolint:staticcheck // a server may still send it
		"bad \uFFFD bytes":           {Content: []sdk.Content{text("bad \xff bytes")}},
		"[resource file:///empty]\n": {Content: []sdk.Content{&sdk.EmbeddedResource{Resource: &sdk.ResourceContents{URI: "file:///empty"}}}},
	} {
		require.Equal(t, want, resultText(&result))
	}
	require.Equal(t, "(no output)", resultText(&sdk.CallToolResult{Content: []sdk.Content{&sdk.EmbeddedResource{}}}))
}

func FuzzAnyResultBecomesText(f *testing.F) {
	for _, seed := range []string{
		`{"content":[{"type":"text","text":"a"}]}`,
		`{"content":[{"type":"image","data":"AAAA","mimeType":"image/png"},{"type":"audio","data":""}]}`,
		`{"content":[{"type":"resource","resource":{"uri":"a:b","text":"c"}},{"type":"resource"}]}`,
		`{"content":[{"type":"resource_link","uri":"a:b","size":-1}]}`,
		`{"content":[],"structuredContent":[1,"\ud800"]}`,
		`{"content":[{"type":"tool_result","content":[{"type":"text"}]}],"isError":true}`,
		"{\"content\":[{\"type\":\"text\",\"text\":\"\xff\"}]}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var result sdk.CallToolResult
		if json.Unmarshal(data, &result) != nil {
			return
		}
		text := resultText(&result)
		require.NotEmpty(t, text)
		require.True(t, utf8.ValidString(text))
	})
}
