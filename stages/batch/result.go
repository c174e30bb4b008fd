package batch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/gluepipe/gluepipe/stages/internal/jsonappend"
)

// TokenUsage counts the tokens that calls of a model used.
type TokenUsage struct {
	Prompt     int64 `json:"prompt"`
	Completion int64 `json:"completion"`
	Total      int64 `json:"total"`
}

// Add adds o, which may be nil.
func (u *TokenUsage) Add(o *TokenUsage) {
	if o == nil {
		return
	}
	u.Prompt += o.Prompt
	u.Completion += o.Completion
	u.Total += o.Total
}

// Result is what became of one request.
type Result struct {
	ID      string
	Index   int64 // the request's position in the source, from 0
	Success bool
	// Response is the model's text. A failed result may hold what there was of it.
	Response         string
	StructuredOutput json.RawMessage
	ToolCalls        []ToolCall // calls the model asked for that were not executed
	ToolCallsMade    int        // calls that were executed
	// ToolExecutionHistory has one entry a call made, in the order in which the model asked.
	ToolExecutionHistory []ToolExecution
	TokensUsed           *TokenUsage // over all turns and attempts; nil where no server reported any
	Error                string
	ErrorType            ErrorKind
	Metadata             map[string]any // the request's, and "_retried": true where there was more than one attempt
	ElapsedTime          time.Duration  // spent in model calls and tools, over all attempts
	WaitTime             time.Duration  // spent waiting for rate limits and between attempts
	Model                string         // as the server names it
	FinishReason         string
	Attempts             int
	CostUSD              *float64 // as the server reported it; nil where none did
	Fingerprint          string   // of the effective request, see [Fingerprint]

	// What follows is not in the JSON.

	Err     error      // nil for a success, else a *RequestError
	Request *Request   // the caller's request, where the result comes from this run
	Raw     *RawAnswer // the last answer as it came, where the run keeps it
}

// RawAnswer is a server's answer as it came.
type RawAnswer struct {
	Status    int    // HTTP status
	RequestID string // from the answer's headers
	Body      []byte
}

// SetError makes the result a failure with err, whose [ErrorKind] becomes its error_type; without one it is [ErrServer].
func (r *Result) SetError(err error) {
	// Only one that stands outermost: deeper in the chain it is another request's, the cause of a cancellation.
	if request, ok := err.(*RequestError); ok { //nolint:errorlint // see above
		err = request.Err
	}
	kind := KindOf(err)
	if kind == "" {
		kind = ErrServer
		err = kind.Wrap(err)
	}
	r.Success, r.Error, r.ErrorType = false, err.Error(), kind
	r.Err = &RequestError{ID: r.ID, Index: r.Index, Attempts: r.Attempts, Err: err}
}

// ClearError takes a failure back, before another attempt.
func (r *Result) ClearError() { r.Error, r.ErrorType, r.Err = "", "", nil }

// Unfinished tells whether the run cut the request short, so that a later run has to do it again.
func (r *Result) Unfinished() bool { return r.ErrorType.Unfinished() }

// SetMetadata sets one value, on a copy: the map may be the request's.
func (r *Result) SetMetadata(key string, value any) {
	m := make(map[string]any, len(r.Metadata)+1)
	for k, v := range r.Metadata {
		m[k] = v
	}
	m[key] = value
	r.Metadata = m
}

// AppendJSON appends the result as one line of JSON without a newline. The id comes first. It fails only where
// StructuredOutput, an argument or a metadata value can't be encoded.
func (r *Result) AppendJSON(dst []byte) ([]byte, error) {
	var err error
	value := func(name string, present bool, v any) {
		if present && err == nil {
			dst, err = jsonappend.Value(jsonappend.Key(dst, name), v)
			if err != nil {
				err = fmt.Errorf("result %q: field %q: %w", r.ID, name, err)
			}
		}
	}
	text := func(name, value string) {
		if value != "" {
			dst = jsonappend.String(jsonappend.Key(dst, name), value)
		}
	}
	dst = jsonappend.String(append(dst, `{"id":`...), r.ID)
	dst = strconv.AppendInt(append(dst, `,"index":`...), r.Index, 10)
	dst = strconv.AppendBool(append(dst, `,"success":`...), r.Success)
	if r.Success || r.Response != "" {
		dst = jsonappend.String(append(dst, `,"response":`...), r.Response)
	}
	value("structured_output", r.StructuredOutput != nil, r.StructuredOutput)
	if r.ToolCalls != nil {
		dst, err = appendToolCalls(jsonappend.Key(dst, "tool_calls"), r.ToolCalls)
	}
	dst = strconv.AppendInt(append(dst, `,"tool_calls_made":`...), int64(r.ToolCallsMade), 10)
	if r.ToolExecutionHistory != nil && err == nil {
		dst, err = r.appendHistory(jsonappend.Key(dst, "tool_execution_history"))
	}
	if u := r.TokensUsed; u != nil {
		dst = strconv.AppendInt(append(dst, `,"tokens_used":{"prompt":`...), u.Prompt, 10)
		dst = strconv.AppendInt(append(dst, `,"completion":`...), u.Completion, 10)
		dst = append(strconv.AppendInt(append(dst, `,"total":`...), u.Total, 10), '}')
	}
	text("error", r.Error)
	text("error_type", string(r.ErrorType))
	value("metadata", r.Metadata != nil, r.Metadata)
	dst = jsonappend.Seconds(append(dst, `,"elapsed_time":`...), r.ElapsedTime)
	if r.WaitTime != 0 {
		dst = jsonappend.Seconds(append(dst, `,"wait_time":`...), r.WaitTime)
	}
	text("model", r.Model)
	text("finish_reason", r.FinishReason)
	dst = strconv.AppendInt(append(dst, `,"attempts":`...), int64(r.Attempts), 10)
	value("cost_usd", r.CostUSD != nil, r.CostUSD)
	text("fingerprint", r.Fingerprint)
	return append(dst, '}'), err
}

func (r *Result) appendHistory(dst []byte) ([]byte, error) {
	dst = append(dst, '[')
	var err error
	for i := range r.ToolExecutionHistory {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = r.ToolExecutionHistory[i].appendJSON(dst); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

// MarshalJSON writes the result as [Result.AppendJSON] does.
func (r Result) MarshalJSON() ([]byte, error) { return r.AppendJSON(nil) }

// UnmarshalJSON reads what MarshalJSON writes. Numbers of the metadata become [json.Number]; fields it doesn't know are
// left out.
func (r *Result) UnmarshalJSON(data []byte) error {
	var v struct {
		ID                   string          `json:"id"`
		Index                int64           `json:"index"`
		Success              bool            `json:"success"`
		Response             string          `json:"response"`
		StructuredOutput     json.RawMessage `json:"structured_output"`
		ToolCalls            []ToolCall      `json:"tool_calls"`
		ToolCallsMade        int             `json:"tool_calls_made"`
		ToolExecutionHistory []ToolExecution `json:"tool_execution_history"`
		TokensUsed           *TokenUsage     `json:"tokens_used"`
		Error                string          `json:"error"`
		ErrorType            ErrorKind       `json:"error_type"`
		Metadata             map[string]any  `json:"metadata"`
		ElapsedTime          float64         `json:"elapsed_time"`
		WaitTime             float64         `json:"wait_time"`
		Model                string          `json:"model"`
		FinishReason         string          `json:"finish_reason"`
		Attempts             int             `json:"attempts"`
		CostUSD              *float64        `json:"cost_usd"`
		Fingerprint          string          `json:"fingerprint"`
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return err
	}
	*r = Result{
		ID: v.ID, Index: v.Index, Success: v.Success, Response: v.Response, StructuredOutput: v.StructuredOutput,
		ToolCalls: v.ToolCalls, ToolCallsMade: v.ToolCallsMade, ToolExecutionHistory: v.ToolExecutionHistory,
		TokensUsed: v.TokensUsed, Metadata: v.Metadata, ElapsedTime: duration(v.ElapsedTime), WaitTime: duration(v.WaitTime),
		Model: v.Model, FinishReason: v.FinishReason, Attempts: v.Attempts, CostUSD: v.CostUSD, Fingerprint: v.Fingerprint,
	}
	if v.ErrorType != "" || v.Error != "" {
		r.SetError(v.ErrorType.Errorf("%s", v.Error))
		r.ErrorType = v.ErrorType
	}
	return nil
}

func duration(seconds float64) time.Duration {
	return time.Duration(math.Round(seconds * float64(time.Second)))
}
