package llm

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// wireAnswer is what is read of a chat completion.
type wireAnswer struct {
	Model   string          `json:"model"`
	Choices []wireChoice    `json:"choices"`
	Usage   *wireUsage      `json:"usage"`
	Error   json.RawMessage `json:"error"`
}

type wireChoice struct {
	Message      wireMessage     `json:"message"`
	FinishReason string          `json:"finish_reason"`
	Error        json.RawMessage `json:"error"` // OpenRouter's, of a provider that failed midway
}

type wireMessage struct {
	Role      string          `json:"role"`
	Content   json.RawMessage `json:"content"`
	Refusal   string          `json:"refusal"`
	ToolCalls presence        `json:"tool_calls"`
	// Answers in other forms than text.
	FunctionCall presence `json:"function_call"`
	Audio        presence `json:"audio"`
	// What reasoning models add, to be sent back to some of them.
	Reasoning        presence `json:"reasoning"`
	ReasoningContent presence `json:"reasoning_content"`
	ReasoningDetails presence `json:"reasoning_details"`
	ExtraContent     presence `json:"extra_content"`

	raw []byte // all of the message, where it is known
}

// more says that the message has fields beyond a text.
func (m *wireMessage) more() bool {
	return bool(m.ToolCalls || m.FunctionCall || m.Audio || m.Reasoning || m.ReasoningContent || m.ReasoningDetails ||
		m.ExtraContent)
}

// presence tells whether a member says anything, without decoding it.
type presence bool

func (p *presence) UnmarshalJSON(data []byte) error {
	*p = presence(!isBlank(data))
	return nil
}

type wireUsage struct {
	Prompt     count  `json:"prompt_tokens"`
	Completion count  `json:"completion_tokens"`
	Total      count  `json:"total_tokens"`
	Cost       amount `json:"cost"`
}

// count reads a number of tokens. What isn't one is 0: an answer that was paid for is not lost over its bill.
type count int64

func (n *count) UnmarshalJSON(data []byte) error {
	const most = 1e12 // far beyond any model, and far from where sums overflow
	if f, err := strconv.ParseFloat(string(data), 64); err == nil && f > 0 && f <= most {
		*n = count(f)
	}
	return nil
}

// amount reads a price in US dollars in the same spirit: NaN and Inf, which servers write as strings, are none, nor is what
// nobody would pay or be paid.
type amount struct{ value *float64 }

func (a *amount) UnmarshalJSON(data []byte) error {
	if f, err := strconv.ParseFloat(string(bytes.Trim(data, `"`)), 64); err == nil && f >= 0 && f <= 1e6 {
		a.value = &f
	}
	return nil
}

func (u *wireUsage) tokens() *batch.TokenUsage {
	if u == nil {
		return nil
	}
	t := &batch.TokenUsage{Prompt: int64(u.Prompt), Completion: int64(u.Completion), Total: int64(u.Total)}
	if t.Total == 0 {
		t.Total = t.Prompt + t.Completion
	}
	return t
}

func (u *wireUsage) cost() *float64 {
	if u == nil {
		return nil
	}
	return u.Cost.value
}

// answer reads an answer that came whole.
func (c *Client) answer(call *Call, resp *http.Response, body []byte) (*Answer, error) {
	a, fail := c.decode(call, resp.StatusCode, body)
	if fail == nil {
		a.Header, a.Raw = readHeader(resp.Header, time.Now()), raw(call, resp, body)
		return a, nil
	}
	if fail.Status == 0 {
		fail.Status = resp.StatusCode
	}
	fail.RequestID, fail.Header = requestID(resp.Header), readHeader(resp.Header, time.Now())
	fail.RetryAfter = max(fail.RetryAfter, retryAfter(fail.Status, resp.Header, fail.Header, time.Now()))
	fail.Raw = raw(call, resp, c.secrets.body(body))
	return nil, fail
}

// decode reads the body of an answer with a good status. Its errors lack what the headers say. The answer keeps nothing of
// the body's memory.
func (c *Client) decode(call *Call, status int, body []byte) (answer *Answer, fail *Error) {
	switch {
	case len(bytes.TrimSpace(body)) == 0:
		fail = answerError(batch.ErrServer, true, "%s: the answer is empty", statusLine(status))
	case call.Input != nil:
		answer, fail = c.decodeEmbeddings(call, statusLine(status), body)
	default:
		if scanned, ok := scanAnswer(body); ok {
			answer, fail = scanned.accept(status, body)
		} else {
			answer, fail = c.decodeAny(status, body)
		}
	}
	if fail != nil {
		fail.Err = c.secrets.error(fail.Err)
	}
	return answer, fail
}

// decodeAny reads whatever stands where a chat completion should.
func (c *Client) decodeAny(status int, body []byte) (*Answer, *Error) {
	var wire wireAnswer
	err := json.Unmarshal(body, &wire)
	_, mistyped := errors.AsType[*json.UnmarshalTypeError](err)
	if err != nil && !mistyped {
		return nil, c.broken("chat completion", statusLine(status), body, err)
	}
	if inside := c.errorInside(&wire, body); inside != nil {
		return nil, inside
	}
	// json left out what has a wrong type, and read the rest: an answer that was paid for is not lost over a detail.
	answer, fail := wire.accept(status, body)
	if mistyped && fail != nil && fail.Kind == batch.ErrServer {
		fail.Err = c.broken("chat completion", statusLine(status), body, err).Err
	}
	return answer, fail
}

// accept makes the answer, unless its choice is one in form only.
func (w *wireAnswer) accept(status int, body []byte) (*Answer, *Error) {
	if len(w.Choices) == 0 {
		return nil, w.fail(batch.ErrServer, true, "%s: the answer has no choices", statusLine(status))
	}
	choice := &w.Choices[0]
	m := &choice.Message
	switch {
	case choice.FinishReason == "content_filter":
		return nil, w.fail(batch.ErrContentFilter, false, "the provider filtered the answer (finish_reason content_filter)")
	case choice.FinishReason == "error":
		return nil, w.fail(batch.ErrServer, true, "the provider failed midway (finish_reason error)")
	case isNull(m.Content):
		if m.Refusal == "" && !bool(m.ToolCalls || m.FunctionCall || m.Audio) && choice.FinishReason != "length" {
			return nil, w.fail(batch.ErrServer, true, "the answer has no content (finish_reason %q)",
				clip(choice.FinishReason, maxNameBytes))
		}
	case m.Content[0] != '"' && m.Content[0] != '[':
		return nil, w.fail(batch.ErrServer, true, "the answer's content is neither a text nor a list of parts")
	}
	a := &Answer{
		Refusal: m.Refusal, FinishReason: clip(choice.FinishReason, maxNameBytes), Model: clip(w.Model, maxNameBytes),
		Usage: w.Usage.tokens(), CostUSD: w.Usage.cost(),
	}
	if m.more() {
		message, found, err := m.whole(body)
		if err != nil {
			return nil, w.fail(batch.ErrServer, true, "the answer's message can't be read: %w", err)
		}
		// A body that has a member twice can be read in two ways.
		if !found || isNull(message.Content) != isNull(m.Content) || len(message.ToolCalls) == 0 && bool(m.ToolCalls) {
			return nil, w.fail(batch.ErrServer, true, "the answer contradicts itself")
		}
		a.Message = message
	} else {
		a.Message = batch.Message{Role: m.Role, Content: bytes.Clone(m.Content)}
		if m.Refusal != "" {
			a.Message.Extra = map[string]json.RawMessage{"refusal": batch.Text(m.Refusal)}
		}
	}
	if a.Message.Role == "" {
		a.Message.Role = "assistant"
	}
	a.Text = a.Message.Text()
	return a, nil
}

// whole reads the message of the first choice with all its fields, known or not.
func (m *wireMessage) whole(body []byte) (message batch.Message, found bool, err error) {
	if m.raw != nil {
		err = message.UnmarshalJSON(m.raw)
		return message, true, err
	}
	var answer struct {
		Choices []struct {
			Message batch.Message `json:"message"`
		} `json:"choices"`
	}
	if err = json.Unmarshal(body, &answer); err != nil || len(answer.Choices) == 0 {
		return message, false, err
	}
	return answer.Choices[0].Message, true, nil
}

// fail makes the error of an answer that is of no use, but was counted all the same.
func (w *wireAnswer) fail(kind batch.ErrorKind, retryable bool, format string, args ...any) *Error {
	e := answerError(kind, retryable, format, args...)
	e.Usage, e.CostUSD = w.Usage.tokens(), w.Usage.cost()
	return e
}

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// raw copies the answer where the call asks for it: body is the client's to use again.
func raw(call *Call, resp *http.Response, body []byte) *batch.RawAnswer {
	if !call.KeepRaw {
		return nil
	}
	return &batch.RawAnswer{Status: resp.StatusCode, RequestID: requestID(resp.Header), Body: bytes.Clone(body)}
}
