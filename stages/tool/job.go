package tool

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sourcegraph/conc/panics"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// job is one call in a goroutine of its own, which can be abandoned. So it shares nothing with the run but its channels.
type job struct {
	tool      batch.Tool // a copy: the caller may change its own while an abandoned call goes on
	arguments json.RawMessage
	options   RunOptions
	started   time.Time            // when the tool was called
	cancel    context.CancelFunc   // frees the context of the call
	began     chan context.Context // hands the context of the call to the run; unbuffered: nothing begins that nobody waits for
	done      chan outcome         // has room for the outcome, so that an abandoned call can end
}

func newJob(tool *batch.Tool, arguments json.RawMessage, o *RunOptions) *job {
	return &job{
		// Clones, since the history keeps the arguments, whatever the tool does to them.
		tool: *tool, arguments: bytes.Clone(arguments), options: *o,
		cancel: func() {}, began: make(chan context.Context), done: make(chan outcome, 1),
	}
}

// await runs the job and waits for its outcome, for as long as it may take.
func (j *job) await(ctx context.Context) outcome { //nolint:contextcheck // what comes over began is made of ctx
	go j.run(ctx)
	var began time.Time
	select {
	case o := <-j.done:
		return o
	case ctx = <-j.began:
		began = time.Now()
	case <-ctx.Done():
	}
	select {
	case o := <-j.done:
		return o
	case <-ctx.Done():
	}
	select {
	case o := <-j.done: // both were ready
		return o
	default:
	}
	o := failure(cutShort(ctx), 0)
	if !began.IsZero() {
		o.elapsed = time.Since(began)
	}
	return o
}

func (j *job) run(ctx context.Context) {
	// What remains where the tool ends its goroutine, as a test's FailNow does.
	o := failure(errors.New("the tool did not return"), 0)
	defer func() {
		if !j.started.IsZero() {
			o.elapsed = time.Since(j.started)
		}
		j.done <- o
		j.cancel() // not before, or the run would take it for the end of the call
	}()
	if panicked := panics.Try(func() { o = j.call(ctx) }); panicked != nil {
		o = failure(fmt.Errorf("the tool panicked: %v", panicked.Value), j.options.MaxResult)
	}
}

func (j *job) call(ctx context.Context) outcome {
	if err := j.approve(ctx); err != nil {
		return j.failure(ctx, err)
	}
	if j.tool.Acquire != nil {
		release, err := j.tool.Acquire(ctx)
		if err != nil {
			return j.failure(ctx, err)
		}
		if release != nil {
			defer release()
		}
	}
	if timeout := cmp.Or(j.tool.Timeout, j.options.Timeout); timeout > 0 {
		ctx, j.cancel = context.WithTimeoutCause(ctx, timeout, timeoutError(timeout))
	}
	if !j.begin(ctx) {
		return failure(cutShort(ctx), 0)
	}
	text, err := j.tool.Call(ctx, j.arguments)
	if cut, ok := errors.AsType[*CutError](err); ok {
		return cutAnswer(text, cut.Size, j.options.MaxResult)
	} else if err != nil {
		return j.failure(ctx, err)
	}
	return answer(text, j.options.MaxResult)
}

// begin tells the run that the tool is called now. It is not, where the run has ended.
func (j *job) begin(ctx context.Context) bool {
	select {
	case j.began <- ctx:
	case <-ctx.Done():
	}
	j.started = time.Now()
	return ctx.Err() == nil
}

func (j *job) approve(ctx context.Context) error {
	if j.options.Approve == nil {
		return nil
	}
	tool := j.tool
	err := j.options.Approve(ctx, &tool, bytes.Clone(j.arguments))
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*RefusedError](err); ok {
		return err
	}
	return &RefusedError{Reason: err.Error()}
}

func (j *job) failure(ctx context.Context, err error) outcome {
	if ctx.Err() != nil {
		err = cutShort(ctx)
	}
	return failure(err, j.options.MaxResult)
}

type timeoutError time.Duration

func (e timeoutError) Error() string { return "timed out after " + time.Duration(e).String() }

// cutShort says why a call whose context has ended did not finish.
func cutShort(ctx context.Context) error {
	if timeout, ok := errors.AsType[timeoutError](context.Cause(ctx)); ok {
		return timeout
	}
	return errors.New("cancelled")
}
