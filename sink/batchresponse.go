package sink

import (
	"bytes"
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"unicode/utf8"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// appendBatchResponse appends the response of a line: the server's answer, else what the result has of one, else null.
func appendBatchResponse(dst []byte, r *batch.Result) ([]byte, error) {
	var body []byte
	status, requestID := http.StatusOK, ""
	switch {
	case answered(r):
		status, requestID, body = r.Raw.Status, r.Raw.RequestID, bytes.TrimSpace(r.Raw.Body)
		if !json.Valid(body) {
			body = wrapBody(body, r)
		}
	case r.Success || r.Response != "" || r.FinishReason != "":
		var err error
		if body, err = minimalBody(r); err != nil {
			return dst, err
		}
	default:
		return append(dst, "null"...), nil
	}
	dst = strconv.AppendInt(append(dst, `{"status_code":`...), int64(status), 10)
	dst = appendText(append(dst, `,"request_id":`...), requestID)
	return append(append(append(dst, `,"body":`...), oneLine(body)...), '}'), nil
}

// answered tells whether the result's raw answer is what it is about: a success may have come from elsewhere after a failure.
func answered(r *batch.Result) bool {
	if r.Raw == nil || r.Raw.Status == 0 {
		return false
	}
	return !r.Success || isOK(r.Raw.Status) && json.Valid(r.Raw.Body)
}

func isOK(status int) bool { return status/100 == 2 }

// refused tells whether the result failed by the status of its last answer, which then says all about it. Other failures
// may have an answer of an earlier attempt.
func refused(r *batch.Result) bool {
	if !answered(r) || r.Raw.Status < http.StatusBadRequest {
		return false
	}
	switch r.ErrorType {
	case batch.ErrInvalidRequest, batch.ErrAuthentication, batch.ErrRateLimit, batch.ErrQuotaExceeded, batch.ErrTokenLimit,
		batch.ErrContentFilter, batch.ErrServer:
		return true
	case batch.ErrAPITimeout:
		return r.Raw.Status == http.StatusRequestTimeout
	}
	return false
}

// wrapBody keeps a body that is not JSON as the message of an error.
func wrapBody(body []byte, r *batch.Result) []byte {
	message := string(body)
	if message == "" {
		message = r.Error
	}
	return append(appendText([]byte(`{"error":{"message":`), message), "}}"...)
}

// oneLine returns JSON that is whole in one line of UTF-8: the same bytes, if they are.
func oneLine(body []byte) []byte {
	if !utf8.Valid(body) {
		body = bytes.ToValidUTF8(body, []byte("\uFFFD"))
	}
	if !bytes.ContainsAny(body, "\r\n") {
		return body
	}
	var line bytes.Buffer
	_ = json.Compact(&line, body) // it is valid
	return line.Bytes()
}

type chatBody struct {
	ID      string       `json:"id"`
	Object  string       `json:"object"`
	Created int64        `json:"created"`
	Model   string       `json:"model"`
	Choices []chatChoice `json:"choices"`
	Usage   *bodyUsage   `json:"usage,omitempty"`
}

type chatChoice struct {
	Index        int         `json:"index"`
	Message      chatMessage `json:"message"`
	FinishReason string      `json:"finish_reason"`
}

type chatMessage struct {
	Role      string           `json:"role"`
	Content   *string          `json:"content"`
	ToolCalls []batch.ToolCall `json:"tool_calls,omitempty"`
}

type embeddingsBody struct {
	Object string          `json:"object"`
	Data   []bodyEmbedding `json:"data"`
	Model  string          `json:"model"`
	Usage  *bodyUsage      `json:"usage,omitempty"`
}

type bodyEmbedding struct {
	Object    string `json:"object"`
	Index     int    `json:"index"`
	Embedding any    `json:"embedding"`
}

type bodyUsage struct {
	Prompt     int64    `json:"prompt_tokens"`
	Completion int64    `json:"completion_tokens"`
	Total      int64    `json:"total_tokens"`
	Cost       *float64 `json:"cost,omitempty"`
}

// minimalBody makes the body that a server would have sent with such a result.
func minimalBody(r *batch.Result) ([]byte, error) {
	var usage *bodyUsage
	if t := r.TokensUsed; t != nil {
		usage = &bodyUsage{Prompt: t.Prompt, Completion: t.Completion, Total: t.Total}
		if cost := r.CostUSD; cost != nil && !math.IsNaN(*cost) && !math.IsInf(*cost, 0) { // JSON has no such numbers
			usage.Cost = cost
		}
	}
	var body any
	if r.Embedding != nil {
		vector, err := batch.Cell(batch.JSONColumn, r.Embedding) // it may hold numbers that JSON doesn't know
		if err != nil {
			return nil, err
		}
		data := []bodyEmbedding{{Object: "embedding", Embedding: vector}}
		body = embeddingsBody{Object: "list", Data: data, Model: r.Model, Usage: usage}
	} else {
		choice := chatChoice{
			Message:      chatMessage{Role: "assistant", Content: content(r), ToolCalls: r.ToolCalls},
			FinishReason: finishReason(r),
		}
		body = chatBody{
			ID: "chatcmpl-" + r.ID, Object: "chat.completion", Model: r.Model, Choices: []chatChoice{choice}, Usage: usage,
		}
	}
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(body); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(line.Bytes()), nil
}

// content returns the text of an answer, or nil where there are tool calls instead.
func content(r *batch.Result) *string {
	text := r.Response
	switch {
	case text == "" && r.StructuredOutput != nil:
		text = string(r.StructuredOutput)
	case text == "" && len(r.ToolCalls) > 0:
		return nil
	}
	return &text
}

func finishReason(r *batch.Result) string {
	switch {
	case r.FinishReason != "":
		return r.FinishReason
	case len(r.ToolCalls) > 0:
		return "tool_calls"
	}
	return "stop"
}
