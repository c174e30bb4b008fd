package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// answers are whole HTTP answers, head and body, made once.
type answers struct {
	text     []byte
	toolCall []byte
	failure  []byte
}

// textBody is a chat completion of 900 bytes, as OpenAI writes it but for the line breaks.
const textBody = `{"id":"chatcmpl-CfTq8wKXz0Zl3nRj5vYtB1mEo2aGd","object":"chat.completion","created":1763933041,` +
	`"model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"message":{"role":"assistant","content":"Positive. The phrase that ` +
	`decided it is \"I would buy there again\": the customer mentions one delay in passing, and then praises both the goods and ` +
	`the service. A parcel that comes a day late is no more than an inconvenience to a ` +
	`customer who takes the whole of an order into account when looking back on it.","refusal":null,"annotations":[]},` +
	`"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":83,"completion_tokens":54,"total_tokens":137,` +
	`"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,` +
	`"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},"service_tier":"default",` +
	`"system_fingerprint":"fp_560af6e559"}`

const toolCallBody = `{"id":"chatcmpl-CfTq9Yb4uWc7HsPq2LxNd6kVe8iTf","object":"chat.completion","created":1763933042,` +
	`"model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{` +
	`"id":"call_8Jx2mQvR5tYw1ZkLpN0bHc3D","type":"function","function":{"name":"lookup","arguments":"{\"key\":\"parcel\"}"}}],` +
	`"refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":83,` +
	`"completion_tokens":15,"total_tokens":98},"service_tier":"default","system_fingerprint":"fp_560af6e559"}`

func newAnswers(s *script) *answers {
	return &answers{
		text:     whole(http.StatusOK, textBody, ""),
		toolCall: whole(http.StatusOK, toolCallBody, ""),
		failure:  errorAnswer(s.failStatus, "the server is overloaded", retryAfter(s.retryAfter)),
	}
}

// retryAfter names the time in the milliseconds of OpenAI's own header, and in HTTP's where that can say it.
func retryAfter(d time.Duration) string {
	fields := fmt.Sprintf("Retry-After-Ms: %d\r\n", d.Milliseconds())
	if d%time.Second == 0 {
		fields += fmt.Sprintf("Retry-After: %d\r\n", int(d.Seconds()))
	}
	return fields
}

// errorAnswer returns an error as OpenAI writes it.
func errorAnswer(status int, message, fields string) []byte {
	quoted, _ := json.Marshal(message) // a string always can be
	return whole(status, fmt.Sprintf(`{"error":{"message":%s,"type":"server_error","param":null,"code":null}}`, quoted), fields)
}

func whole(status int, body, fields string) []byte {
	return fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nX-Request-Id: req_5d2f0c1e9b7a4386\r\n%s"+
		"Content-Length: %d\r\n\r\n%s", status, http.StatusText(status), fields, len(body), body)
}
