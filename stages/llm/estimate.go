package llm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

const (
	bytesPerToken    = 4
	tokensPerMessage = 4    // for its role and the marks around it
	tokensPerFile    = 1000 // for an image or another file inside a message, whatever its bytes
)

// EstimateTokens estimates how many tokens a call will use: a quarter of the bytes of its messages or input, tools and
// response format, and what its params allow for the completion (max_completion_tokens or max_tokens). A file that a
// message holds as base64 counts as 1,000 tokens.
func EstimateTokens(call *Call) int {
	size, tokens := len(call.ResponseFormat)+len(call.Input), 0
	for i := range call.Messages {
		m := &call.Messages[i]
		content, files := withoutFiles(m.Content)
		size += content + len(m.Name) + len(m.ToolCallID)
		for j := range m.ToolCalls {
			size += len(m.ToolCalls[j].Name) + len(m.ToolCalls[j].Arguments)
		}
		for name, value := range m.Extra {
			size += len(name) + len(value)
		}
		tokens += tokensPerMessage + files*tokensPerFile
	}
	for i := range call.Tools {
		t := &call.Tools[i]
		if t.Raw != nil {
			size += len(t.Raw)
		} else {
			size += len(t.Name) + len(t.Description) + len(t.Parameters)
		}
	}
	completion := max(number(call.Params["max_completion_tokens"]), number(call.Params["max_tokens"]))
	return tokens + (size+bytesPerToken-1)/bytesPerToken + completion
}

// withoutFiles returns the size of a content without its data URLs, and how many of them there are.
func withoutFiles(content []byte) (size, files int) {
	size = len(content)
	if size == 0 || content[0] != '[' { // only parts hold files
		return size, 0
	}
	for {
		_, data, found := bytes.Cut(content, []byte(";base64,"))
		if !found {
			return size, files
		}
		end := bytes.IndexByte(data, '"')
		if end < 0 {
			end = len(data)
		}
		size -= end
		files++
		content = data[end:]
	}
}

// number reads a param, which is a Go number or JSON. It is 0 where it isn't a positive number.
func number(param any) int {
	var text string
	switch p := param.(type) {
	case nil:
		return 0
	case int:
		return min(max(p, 0), math.MaxInt32)
	case json.RawMessage:
		text = string(p)
	default:
		text = fmt.Sprint(p)
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || !(n > 0) {
		return 0
	}
	return int(min(n, math.MaxInt32))
}
