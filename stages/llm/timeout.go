package llm

import (
	"context"
	"errors"
	"fmt"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// errOverrun is the cause with which a call's context ends when its time is up. It tells that end from every other.
var errOverrun = errors.New("the call's timeout is over")

// Timeout bounds each call by its [Call.Timeout]; 0 or less is no bound. The time begins when next is called, so Timeout
// belongs inside everything that makes a call wait. An overrun is a [batch.ErrAPITimeout], and can be retried.
//
// next must return when its context ends; Timeout doesn't abandon it. An answer that comes all the same is kept.
func Timeout(next Completer) Completer { return timeout{next} }

type timeout struct{ next Completer }

func (t timeout) Complete(ctx context.Context, call *Call) (*Answer, error) {
	if call.Timeout <= 0 {
		return t.next.Complete(ctx, call)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, call.Timeout, errOverrun)
	defer cancel()
	answer, err := t.next.Complete(ctx, call)
	if err == nil || !errors.Is(context.Cause(ctx), errOverrun) || answeredWithError(err) {
		return answer, err
	}
	return nil, &Error{
		Kind: batch.ErrAPITimeout, Retryable: true, Header: noHeader,
		Err: fmt.Errorf("no answer within %v", call.Timeout),
	}
}

// answeredWithError tells a failure that the server reported from one that the end of the context made.
func answeredWithError(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Status >= 300
}
