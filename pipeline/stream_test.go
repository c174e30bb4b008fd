package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

// fakeModel answers each call with its last message after the given time.
func fakeModel(takes time.Duration) llm.Completer {
	return llm.CompleterFunc(func(ctx context.Context, call *llm.Call) (*llm.Answer, error) {
		if err := pass(ctx, takes); err != nil {
			return nil, err
		}
		text := call.Messages[len(call.Messages)-1].Text()
		return &llm.Answer{Text: text, Message: batch.AssistantMessage(text), FinishReason: "stop"}, nil
	})
}

func newProcessor(t *testing.T, cfg *Config) *BatchProcessor {
	t.Helper()
	p, err := NewBatchProcessor(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

// counted is a source of n requests that counts what it yielded and how it was acknowledged.
type counted struct {
	mu                 sync.Mutex
	n                  int
	taken, done, later int
}

func (c *counted) Next(ctx context.Context) (*batch.Item, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ctx.Err() != nil || c.taken == c.n {
		return nil, io.EOF
	}
	c.taken++
	return &batch.Item{Request: &batch.Request{ID: fmt.Sprint(c.taken), UserMessage: "x"}, Ack: func(done bool) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if done {
			c.done++
		} else {
			c.later++
		}
	}}, nil
}

func (c *counted) Close() error { return nil }

func (c *counted) yielded() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.taken
}

func (c *counted) acknowledged() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.done
}

func TestStreamYieldsResultsAsTheyFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProcessor(t, &Config{Completer: fakeModel(time.Second), MaxConcurrent: 3})
		n := 0
		for result, err := range p.Stream(t.Context(), source.Slice(requests(10))) {
			require.NoError(t, err)
			require.True(t, result.Success)
			n++
		}
		require.Equal(t, 10, n)
	})
}

func TestAResultIsAcknowledgedWhenTheLoopAsksForTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProcessor(t, &Config{Completer: fakeModel(time.Second), MaxConcurrent: 3})
		src := &counted{n: 10}
		n := 0
		for range p.Stream(t.Context(), src) {
			synctest.Wait()
			require.Equal(t, n, src.acknowledged())
			n++
		}
		require.Equal(t, 10, src.acknowledged())
	})
}

func TestBreakCancelsTheWorkAndLeavesTheRestUnacknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProcessor(t, &Config{Completer: fakeModel(time.Second), MaxConcurrent: 3})
		src := &counted{n: 1000}
		n := 0
		begin := time.Now()
		for range p.Stream(t.Context(), src) {
			if n++; n == 4 {
				break
			}
		}
		require.Equal(t, 2*time.Second, time.Since(begin), "work in flight is cancelled, not waited for")
		require.Equal(t, 3, src.done, "the one at which the loop broke is not acknowledged")
		require.Equal(t, src.taken-3, src.later)
	})
}

func TestAPanicInTheLoopPassesThroughAndLeavesNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProcessor(t, &Config{Completer: fakeModel(time.Second)})
		src := &counted{n: 1000}
		require.PanicsWithValue(t, "consumer", func() {
			for range p.Stream(t.Context(), src) {
				panic("consumer")
			}
		})
		require.Equal(t, src.taken, src.later)
	})
}

func TestTheRunsErrorComesLastWithANilResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProcessor(t, &Config{Completer: fakeModel(time.Minute), MaxConcurrent: 2})
		ctx, cancel := context.WithCancelCause(t.Context())
		cause := errors.New("the caller's reason")
		time.AfterFunc(90*time.Second, func() { cancel(cause) })
		var errs []error
		finished, unfinished := 0, 0
		for result, err := range p.Stream(ctx, source.Slice(requests(300))) {
			switch {
			case err != nil:
				require.Nil(t, result)
				errs = append(errs, err)
			case result.Unfinished():
				require.ErrorIs(t, result.Err, cause)
				unfinished++
			default:
				require.Empty(t, errs, "nothing comes after the error")
				finished++
			}
		}
		require.Equal(t, []error{cause}, errs)
		require.Equal(t, 2, finished)
		require.Positive(t, unfinished)
	})
}

func TestASlowLoopHoldsTheRunBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const concurrent = 4
		p := newProcessor(t, &Config{Completer: fakeModel(time.Millisecond), MaxConcurrent: concurrent, MaxPending: 20})
		src := &counted{n: 100}
		n := 0
		for range p.Stream(t.Context(), src) {
			time.Sleep(time.Minute)
			n++
			require.LessOrEqual(t, src.yielded()-n, 20)
		}
		require.Equal(t, 100, n)
	})
}

func TestAStreamThatStopsYieldsAllResultsInOrderAndThenTheError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &model{takes: time.Second, fail: func(prompt string, _ int) error {
			if prompt < "message 5" {
				return nil
			}
			return errBad
		}}
		p := newProcessor(t, &Config{Completer: m, AbortAfter: 10, Ordered: true, MaxConcurrent: 3})
		next, last := int64(0), error(nil)
		for result, err := range p.Stream(t.Context(), source.Slice(requests(1000))) {
			require.NoError(t, last)
			if last = err; err == nil {
				require.Equal(t, next, result.Index)
				next++
			}
		}
		require.ErrorContains(t, last, "stopped after 10 failures in a row without a success: InvalidRequestError: 400 bad")
	})
}
