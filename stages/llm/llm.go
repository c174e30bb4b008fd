package llm

import (
	"context"
	"encoding/json"
	"time"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// A Completer makes one model call. It must be safe for concurrent use, and return when ctx ends: nobody abandons it, so
// that a run waits for one that doesn't. A panic fails the request.
//
// An error says what went wrong by an [*Error], or by a [batch.ErrorKind] in its chain; one that says neither is classified
// by [Classify].
type Completer interface {
	Complete(ctx context.Context, call *Call) (*Answer, error)
}

// CompleterFunc is a function that is a Completer.
type CompleterFunc func(ctx context.Context, call *Call) (*Answer, error)

// Complete calls f.
func (f CompleterFunc) Complete(ctx context.Context, call *Call) (*Answer, error) {
	return f(ctx, call)
}

// Call is one model call. It belongs to the caller of Complete; a Completer reads it, and writes only Waited
// and Hedges.
type Call struct {
	Model    string // "provider:model", or a model's name alone
	Messages []batch.Message
	// Input makes it a call for embeddings instead of a chat: the JSON of what to embed, a text or a list. Messages, Tools and
	// ResponseFormat are then not sent.
	Input          json.RawMessage
	Tools          []batch.Tool
	ResponseFormat []byte         // JSON, sent as it is; nil leaves it out
	Params         map[string]any // other fields of the body, sent as they are
	Timeout        time.Duration  // of the call, once it may start; 0 or less: none
	KeepRaw        bool           // keep the answer's bytes in Answer.Raw

	// Waited is the time the call spent waiting for limits. Middleware adds to it.
	Waited time.Duration
	// Hedges counts the calls made beside it because it was slow. Middleware adds to it; see [Hedge].
	Hedges int
}

// Answer is a model's answer. A Completer hands it over.
type Answer struct {
	Message      batch.Message // as it came, to be sent back in the next turn
	Text         string
	Embeddings   [][]float32 // one for each input of a call for embeddings, in their order
	Refusal      string
	FinishReason string
	Model        string // as the server names it
	Usage        *batch.TokenUsage
	CostUSD      *float64         // as the server reports it; few do
	Header       Header           // what the answer's headers say of limits
	Raw          *batch.RawAnswer // nil unless Call.KeepRaw
}

// ToolCalls returns the calls that the model asks for.
func (a *Answer) ToolCalls() []batch.ToolCall { return a.Message.ToolCalls }

// Error is a failed model call. Its kind, status and code decide what becomes of it, never its text alone. Its text never
// holds the client's key.
type Error struct {
	Kind       batch.ErrorKind
	Status     int    // HTTP status; 0 where there was no answer
	Code       string // the provider's error code or type
	RequestID  string // the provider's, from the answer's headers
	Retryable  bool   // another attempt may succeed
	RetryAfter time.Duration
	// Fatal says that no other call can succeed either: every key is refused, the credit is spent, there has been no
	// connection for too long. A run had better stop than go through the rest of its requests.
	Fatal   bool
	Usage   *batch.TokenUsage // what the failed call used all the same, where the server said so
	CostUSD *float64          // what it cost, likewise
	Header  Header
	Raw     *batch.RawAnswer // nil unless Call.KeepRaw
	Err     error            // what happened; an *openai.APIError is in its chain where the API answered with an error
}

// Error says what went wrong; without a cause, the kind alone.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Kind.Error()
	}
	return e.Err.Error()
}

// Unwrap returns the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

// Header is what an answer's headers say of the provider's limits. A negative count means that the header was not there.
type Header struct {
	LimitRequests     int
	LimitTokens       int
	RemainingRequests int
	RemainingTokens   int
	ResetRequests     time.Duration // until the request limit is whole again
	ResetTokens       time.Duration
}
