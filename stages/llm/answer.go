package llm

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
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
	const most = 1 << 53 // up to here a float64 holds every integer
	if f, err := strconv.ParseFloat(string(data), 64); err == nil && f > 0 && f <= most {
		*n = count(f)
	}
	return nil
}

// amount reads a price in the same spirit: NaN and Inf, which servers write as strings, are none.
type amount struct{ value *float64 }

func (a *amount) UnmarshalJSON(data []byte) error {
	if f, err := strconv.ParseFloat(string(bytes.Trim(data, `"`)), 64); err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
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
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return nil, c.statusError(call, resp, body)
	}
	a, fail := c.decode(body)
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

// decode reads the body of an answer with a good status. Its errors lack what the headers say.
func (c *Client) decode(body []byte) (answer *Answer, fail *Error) {
	defer func() {
		if fail != nil {
			fail.Err = c.secrets.error(fail.Err)
		}
	}()
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, answerError(batch.ErrServer, true, "200 OK: the answer is empty")
	}
	var wire wireAnswer
	if err := json.Unmarshal(body, &wire); err != nil {
		return nil, c.broken(body, err)
	}
	if !isBlank(wire.Error) {
		return nil, c.errorInside(body, wire.Usage)
	}
	if len(wire.Choices) == 0 {
		if _, ok := parseErrorBody(body); ok {
			return nil, c.errorInside(body, wire.Usage)
		}
		return nil, wire.fail(batch.ErrServer, true, "200 OK: the answer has no choices")
	}
	choice := &wire.Choices[0]
	if !isBlank(choice.Error) {
		return nil, c.errorInside(append(append([]byte(`{"error":`), choice.Error...), '}'), wire.Usage)
	}
	return wire.accept(choice, body)
}

// accept makes the answer, unless its choice is one in form only.
func (w *wireAnswer) accept(choice *wireChoice, body []byte) (*Answer, *Error) {
	m := &choice.Message
	switch {
	case choice.FinishReason == "content_filter":
		return nil, w.fail(batch.ErrContentFilter, false, "the provider filtered the answer (finish_reason content_filter)")
	case choice.FinishReason == "error":
		return nil, w.fail(batch.ErrServer, true, "the provider failed midway (finish_reason error)")
	case isNull(m.Content):
		if m.Refusal == "" && !bool(m.ToolCalls || m.FunctionCall || m.Audio) && choice.FinishReason != "length" {
			return nil, w.fail(batch.ErrServer, true, "the answer has no content (finish_reason %q)", choice.FinishReason)
		}
	case m.Content[0] != '"' && m.Content[0] != '[':
		return nil, w.fail(batch.ErrServer, true, "the answer's content is neither a text nor a list of parts")
	}
	a := &Answer{
		Message: batch.Message{Role: m.Role, Content: m.Content}, Refusal: m.Refusal, FinishReason: choice.FinishReason,
		Model: w.Model, Usage: w.Usage.tokens(), CostUSD: w.Usage.cost(),
	}
	if m.more() {
		var whole struct {
			Choices []struct {
				Message batch.Message `json:"message"`
			} `json:"choices"`
		}
		if err := json.Unmarshal(body, &whole); err != nil {
			return nil, w.fail(batch.ErrServer, true, "the answer's message can't be read: %w", err)
		}
		a.Message = whole.Choices[0].Message
	} else if m.Refusal != "" {
		refusal, _ := json.Marshal(m.Refusal)
		a.Message.Extra = map[string]json.RawMessage{"refusal": refusal}
	}
	if a.Message.Role == "" {
		a.Message.Role = "assistant"
	}
	a.Text = a.Message.Text()
	return a, nil
}

// fail makes the error of an answer that is of no use, but was counted all the same.
func (w *wireAnswer) fail(kind batch.ErrorKind, retryable bool, format string, args ...any) *Error {
	e := answerError(kind, retryable, format, args...)
	e.Usage, e.CostUSD = w.Usage.tokens(), w.Usage.cost()
	return e
}

// broken is the error of a body that is not the JSON of an answer. Its text holds nothing that a model wrote.
func (c *Client) broken(body []byte, err error) *Error {
	var syntax *json.SyntaxError
	start := bytes.TrimSpace(body)[0]
	switch {
	case start != '{' && start != '[':
		return answerError(batch.ErrServer, true, "200 OK: the answer is not JSON: %s", readable(c.secrets.body(body)))
	case errors.As(err, &syntax) && syntax.Offset >= int64(len(bytes.TrimRight(body, " \t\r\n"))):
		return answerError(batch.ErrServer, true, "200 OK: the answer's JSON ends early, after %d bytes", len(body))
	case errors.As(err, &syntax):
		return answerError(batch.ErrServer, true, "200 OK: the answer's JSON is broken")
	}
	if mistyped, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return answerError(batch.ErrServer, true,
			"200 OK: the answer is no chat completion: field %q has a wrong type", mistyped.Field)
	}
	return answerError(batch.ErrServer, true, "200 OK: the answer is no chat completion: %w", err)
}

// errorInside is the error that stands in an answer with a good status.
func (c *Client) errorInside(body []byte, usage *wireUsage) *Error {
	parsed, _ := parseErrorBody(c.secrets.body(body))
	c.secrets.errorBody(&parsed)
	e := newAPIError(http.StatusOK, nil, parsed, time.Now())
	e.Usage, e.CostUSD = usage.tokens(), usage.cost()
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
