package batch

import (
	"encoding/json"
	"maps"
	"strconv"
	"time"
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

const wantTokens = "an object of token counts"

func (u *TokenUsage) appendJSON(dst []byte) []byte {
	dst = strconv.AppendInt(append(dst, `{"prompt":`...), u.Prompt, 10)
	dst = strconv.AppendInt(append(dst, `,"completion":`...), u.Completion, 10)
	return append(strconv.AppendInt(append(dst, `,"total":`...), u.Total, 10), '}')
}

// Result is what became of one request.
type Result struct {
	ID      string
	Index   int64 // the request's position in the source, from 0
	Success bool
	// Response is the model's text. A failed result may hold what there was of it.
	Response         string
	StructuredOutput json.RawMessage // the answer as the JSON that its schema asks for
	Embedding        []float32       // the answer to a request for embeddings of one text
	ToolCalls        []ToolCall      // calls the model asked for that were not executed
	ToolCallsMade    int             // calls that were executed
	// ToolExecutionHistory has one entry a call made, in the order in which the model asked.
	ToolExecutionHistory []ToolExecution
	TokensUsed           *TokenUsage // over all turns and attempts; nil where no server reported any
	Error                string
	ErrorType            ErrorKind
	// Metadata is the request's, and "_retried": true where there was more than one attempt, "_hedged": true where a slow call
	// was made a second time. It may be the request's own map: change it with SetMetadata.
	Metadata     map[string]any
	ElapsedTime  time.Duration // spent in model calls and tools, over all attempts
	WaitTime     time.Duration // spent waiting for rate limits and between attempts
	Model        string        // as the server names it
	FinishReason string
	Attempts     int
	CostUSD      *float64 // as the server reported it; nil where none did
	Fingerprint  string   // of the effective request, see [Fingerprint]
	Row          *Row     // the request's

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
	if err == nil {
		panic("gluepipe: SetError needs an error")
	}
	// Another request's error would name that request.
	if request, ok := err.(*RequestError); ok && request.Err != nil { //nolint:errorlint // a wrapped one keeps its context
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
	maps.Copy(m, r.Metadata)
	m[key] = value
	r.Metadata = m
}
