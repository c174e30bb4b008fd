package batch

import (
	"errors"
	"fmt"
)

// ErrorKind is a class of failure. It is an error itself, so that errors.Is(err, batch.ErrRateLimit) tells what happened;
// its text is what stands in a result's error_type.
type ErrorKind string

// The kinds of failure. A result's failure has exactly one of them.
const (
	ErrInvalidRequest     ErrorKind = "InvalidRequestError"     // a bad record, or a request that the model's server refused
	ErrAuthentication     ErrorKind = "AuthenticationError"     // the key is missing, wrong or not allowed
	ErrRateLimit          ErrorKind = "RateLimitError"          // still limited after Config.MaxRateLimitWait
	ErrQuotaExceeded      ErrorKind = "QuotaExceededError"      // no credit left: waiting won't help
	ErrTokenLimit         ErrorKind = "TokenLimitError"         // the request doesn't fit the model's context
	ErrContentFilter      ErrorKind = "ContentFilterError"      // filtered by the provider, or refused by the model
	ErrTruncated          ErrorKind = "TruncatedError"          // the answer was cut at its token limit
	ErrAPIConnection      ErrorKind = "APIConnectionError"      // no connection, or one that broke
	ErrAPITimeout         ErrorKind = "APITimeoutError"         // the call took longer than its timeout
	ErrServer             ErrorKind = "ServerError"             // the server failed, or answered nonsense
	ErrToolIterationLimit ErrorKind = "ToolIterationLimitError" // the model still asks for tools after the last allowed turn
	ErrStructuredOutput   ErrorKind = "StructuredOutputError"   // the answer breaks its schema
	ErrStage              ErrorKind = "StageError"              // a stage of the caller's own failed or panicked
	ErrBudgetExceeded     ErrorKind = "BudgetExceededError"     // unfinished: the run's budget was used up
	ErrCancelled          ErrorKind = "CancelledError"          // unfinished: the run ended first
)

// Error returns the kind's name.
func (k ErrorKind) Error() string { return string(k) }

// Unfinished tells whether the kind means that the run cut the request short, rather than that the request failed. An
// unfinished result reaches no sink, and the next run does its request again.
func (k ErrorKind) Unfinished() bool { return k == ErrCancelled || k == ErrBudgetExceeded }

// Errorf makes an error of this kind, formatted as [fmt.Errorf] does.
func (k ErrorKind) Errorf(format string, args ...any) error {
	return &kindError{kind: k, err: fmt.Errorf(format, args...)}
}

// Wrap gives err this kind and keeps its text. Wrap(nil) is nil.
func (k ErrorKind) Wrap(err error) error {
	if err == nil {
		return nil
	}
	return &kindError{kind: k, err: err}
}

// KindOf returns the kind in err's chain, or "" where there is none. The outermost kind counts.
func KindOf(err error) ErrorKind {
	var kind ErrorKind
	errors.As(err, &kind)
	return kind
}

type kindError struct {
	kind ErrorKind
	err  error
}

func (e *kindError) Error() string   { return e.err.Error() }
func (e *kindError) Unwrap() []error { return []error{e.kind, e.err} }

// RequestError is one request's failure: the error of its result, and under [FailFast] the run's.
type RequestError struct {
	ID       string
	Index    int64 // position in the source, from 0
	Attempts int   // how often it was tried
	Err      error // what went wrong, with its ErrorKind in the chain
}

// Error names the request and says what went wrong.
func (e *RequestError) Error() string { return fmt.Sprintf("request %q: %v", e.ID, e.Err) }

// Unwrap returns what went wrong.
func (e *RequestError) Unwrap() error { return e.Err }
