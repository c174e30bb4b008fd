package llmtest

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gluepipe/gluepipe/stages/internal/jsonappend"
)

// Answer is what the server answers to one request. The zero value is a completion with an empty text; where embeddings are
// asked for, they are made from the texts. The server doesn't change it, so that one Answer may serve many requests.
type Answer struct {
	Status int         // default 200
	Header http.Header // beside the server's own, which they replace
	// Body is sent as it is, in place of a completion made from the fields below.
	Body []byte

	Content      string
	Refusal      string
	ToolCalls    []ToolCall
	FinishReason string // default "tool_calls" where there are any, else "stop"
	Usage        *Usage // default about a token for every four characters

	Delay time.Duration // before the answer, in place of [Config.Latency]; negative: none
	Fault Fault         // how its delivery goes wrong
}

// Usage is the number of tokens that a completion took.
type Usage struct {
	Prompt     int
	Completion int
}

// Text answers with a text.
func Text(content string) *Answer { return &Answer{Content: content} }

// Call asks to have one tool called. The name and arguments go out as they are, known or not, JSON or not. For several
// calls in one turn, fill in [Answer.ToolCalls].
func Call(name, arguments string) *Answer {
	return &Answer{ToolCalls: []ToolCall{{Name: name, Arguments: arguments}}}
}

// body returns the answer's bytes.
func (a *Answer) body(r *Request, id string) []byte {
	if a.Body != nil {
		return a.Body
	}
	if r.Inputs != nil {
		return a.embeddingsBody(r)
	}
	dst := make([]byte, 0, 400+len(r.Model)+len(a.Content)+len(a.Content)/8)
	dst = append(append(append(dst, `{"id":"chatcmpl-`...), id...), `","object":"chat.completion","created":`...)
	dst = strconv.AppendInt(dst, time.Now().Unix(), 10)
	dst = jsonappend.String(append(dst, `,"model":`...), r.Model)
	dst = append(dst, `,"choices":[{"index":0,"message":{"role":"assistant","content":`...)
	if a.Content == "" && (len(a.ToolCalls) > 0 || a.Refusal != "") {
		dst = append(dst, "null"...)
	} else {
		dst = jsonappend.String(dst, a.Content)
	}
	if dst = append(dst, `,"refusal":`...); a.Refusal != "" {
		dst = jsonappend.String(dst, a.Refusal)
	} else {
		dst = append(dst, "null"...)
	}
	dst = a.appendToolCalls(dst, id)
	dst = jsonappend.String(append(dst, `},"logprobs":null,"finish_reason":`...), a.finishReason())
	usage := a.usage(r)
	dst = strconv.AppendInt(append(dst, `}],"usage":{"prompt_tokens":`...), int64(usage.Prompt), 10)
	dst = strconv.AppendInt(append(dst, `,"completion_tokens":`...), int64(usage.Completion), 10)
	dst = strconv.AppendInt(append(dst, `,"total_tokens":`...), int64(usage.Prompt+usage.Completion), 10)
	return append(dst, "}}"...)
}

func (a *Answer) appendToolCalls(dst []byte, id string) []byte {
	for i, call := range a.ToolCalls {
		if i == 0 {
			dst = append(dst, `,"tool_calls":[`...)
		} else {
			dst = append(dst, ',')
		}
		if call.ID == "" {
			call.ID = fmt.Sprintf("call_%s_%d", id, i)
		}
		dst = jsonappend.String(append(dst, `{"id":`...), call.ID)
		dst = jsonappend.String(append(dst, `,"type":"function","function":{"name":`...), call.Name)
		dst = jsonappend.String(append(dst, `,"arguments":`...), call.Arguments)
		dst = append(dst, "}}"...)
	}
	if len(a.ToolCalls) > 0 {
		dst = append(dst, ']')
	}
	return dst
}

func (a *Answer) finishReason() string {
	switch {
	case a.FinishReason != "":
		return a.FinishReason
	case len(a.ToolCalls) > 0:
		return "tool_calls"
	}
	return "stop"
}

func (a *Answer) usage(r *Request) Usage {
	if a.Usage != nil {
		return *a.Usage
	}
	prompt := utf8.RuneCountInString(strings.Join(r.Inputs, ""))
	for i := range r.Messages {
		prompt += utf8.RuneCountInString(r.Messages[i].Text())
	}
	completion := utf8.RuneCountInString(a.Content) + utf8.RuneCountInString(a.Refusal)
	for _, call := range a.ToolCalls {
		completion += utf8.RuneCountInString(call.Name) + utf8.RuneCountInString(call.Arguments)
	}
	return Usage{Prompt: tokens(prompt), Completion: tokens(completion)}
}

// tokens estimates; real tokenisers give about one token for every four characters of English.
func tokens(characters int) int { return (characters + 3) / 4 }
