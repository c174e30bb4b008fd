package batch

import (
	"encoding/json"
	"time"
)

// Item is one request on its way through the pipeline, with what is known about it so far. It belongs to the stage that
// holds it; no two touch it at the same time.
type Item struct {
	Index   int64    // position in the source, from 0; set by the engine
	Origin  string   // where it came from, for people: "line 12"
	Request *Request // the caller's, read-only; may be nil where Result says that it could not be read
	Result  *Result  // nil until some stage knows the outcome

	// Effective is the request as it will be sent: the run's defaults filled in, the chat in Messages, tools resolved. It is
	// the item's own, set by validate: stages between validate and execute may change it, and execute appends the tool
	// turns to its Messages, so that a retry goes on where the conversation broke.
	Effective *Request
	// Fingerprint tells whether an earlier run did the same request; see [Fingerprint]. Validate sets it where the run can
	// be continued.
	Fingerprint string
	// ToolTurns counts the tool turns of the conversation so far.
	ToolTurns int
	// Structure reads the structured output that the run asks for out of an answer's text; its error tells the model what is
	// wrong with it. nil means that none is asked for. Validate sets it.
	Structure func(text string) (json.RawMessage, error)
	// Repairs counts the answers that were asked for again because Structure refused them.
	Repairs int
	// Hedges counts the calls made beside one that was slow; see llm.Hedge. Result.Attempts counts them too.
	Hedges int

	// Retryable says that Result is a failure which another attempt may cure. Execute sets it, retry clears it.
	Retryable bool
	// RetryAfter is the least time to wait before that attempt, as the server asked; 0 if it didn't.
	RetryAfter time.Duration
	// Backoff is the time spent backing off so far, which counts against the request's timeout. Retry adds to it.
	Backoff time.Duration

	// Ack is told once what became of the item: true when its result is safe in the sink or it was dropped, false when it
	// was left for a later run. The source sets it, the engine calls it. It may be nil and must not block.
	Ack func(done bool)

	dropped string
}

// Settled says that the outcome is final: validation failed, a cache had it, it succeeded, retries are used up, it was
// dropped. Execute and Map pass settled items on untouched. Stages after execute may still edit Result.
func (i *Item) Settled() bool { return i.dropped != "" || i.Result != nil && !i.Retryable }

// Drop takes the item out of the run with a reason: it is counted, acknowledged, and reaches no sink. The stage still
// sends it on.
func (i *Item) Drop(reason string) {
	if reason == "" {
		panic("gluepipe: Drop needs a reason")
	}
	i.dropped = reason
}

// Dropped returns the reason given to [Item.Drop], or "".
func (i *Item) Dropped() string { return i.dropped }

// ID returns the id the item's result has or will have.
func (i *Item) ID() string {
	switch {
	case i.Result != nil && i.Result.ID != "":
		return i.Result.ID
	case i.Effective != nil && i.Effective.ID != "":
		return i.Effective.ID
	case i.Request != nil:
		return i.Request.ID
	}
	return ""
}

// Fail settles the item as failed with err, whose kind becomes the result's error_type. What the result already tells
// (attempts, tokens, tools run) is kept.
func (i *Item) Fail(err error) {
	if i.Result == nil {
		i.Settle(&Result{})
	}
	i.Result.SetError(err)
	i.Retryable, i.RetryAfter = false, 0
}

// Settle settles the item with r, which becomes the item's own: its index and request become the item's, and so do id,
// metadata, row and fingerprint where r leaves them out. It is for stages that know an answer without asking a model.
func (i *Item) Settle(r *Result) {
	if r.ID == "" {
		r.ID = i.ID()
	}
	if r.Metadata == nil && i.Request != nil {
		r.Metadata = i.Request.Metadata
	}
	if r.Row == nil && i.Request != nil {
		r.Row = i.Request.Row
	}
	if r.Fingerprint == "" {
		r.Fingerprint = i.Fingerprint
	}
	r.Index, r.Request = i.Index, i.Request
	if failure, ok := r.Err.(*RequestError); ok { //nolint:errorlint // SetError puts it there unwrapped
		// A new one: many items may be settled with copies of one result.
		r.Err = &RequestError{ID: r.ID, Index: r.Index, Attempts: failure.Attempts, Err: failure.Err}
	}
	i.Result = r
	i.Retryable, i.RetryAfter = false, 0
}
