package stages_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bubble runs a test with a clock of its own; a deadlock in it fails the test.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// asking returns one item a text, whose request asks the text and has it as its id.
func asking(texts ...string) []*batch.Item {
	items := make([]*batch.Item, len(texts))
	for i, text := range texts {
		items[i] = &batch.Item{
			Index: int64(i), Origin: fmt.Sprintf("line %d", i+1), Request: &batch.Request{ID: text, UserMessage: text},
		}
	}
	return items
}

// numbered returns n items that ask "0", "1" and so on.
func numbered(n int) []*batch.Item {
	texts := make([]string, n)
	for i := range texts {
		texts[i] = fmt.Sprint(i)
	}
	return asking(texts...)
}

// run sends items through the chain and returns them in the order in which they came out.
func run(ctx context.Context, items []*batch.Item, chain ...batch.Stage) ([]*batch.Item, error) {
	in, out := make(chan *batch.Item), make(chan *batch.Item)
	var err error
	go func() {
		defer close(in)
		for _, item := range items {
			in <- item
		}
	}()
	go func() {
		defer close(out)
		err = stages.Connect(ctx, chain, 0, in, out, func(error) {})
	}()
	var came []*batch.Item
	for item := range out {
		came = append(came, item)
	}
	return came, err
}

// mustRun is run for chains that don't break, whose items all come out once.
func mustRun(ctx context.Context, t *testing.T, items []*batch.Item, chain ...batch.Stage) []*batch.Item {
	t.Helper()
	came, err := run(ctx, items, chain...)
	require.NoError(t, err)
	require.ElementsMatch(t, items, came)
	return came
}

// validated returns items as they come from validate, ready to be executed.
func validated(t *testing.T, items []*batch.Item, d stages.Defaults) []*batch.Item {
	t.Helper()
	mustRun(t.Context(), t, items, stages.Validate(d))
	for _, item := range items {
		require.Nil(t, item.Result, "the request is valid")
	}
	return items
}

// ids returns the items' ids, in order.
func ids(items []*batch.Item) []string {
	names := make([]string, len(items))
	for i, item := range items {
		names[i] = item.ID()
	}
	return names
}

// model is a Completer that answers by a function, and keeps what it was asked and when.
type model struct {
	latency time.Duration
	// answer gets the number of the call among those with the same question, from 1. nil answers with the question.
	answer func(n int, question string, call *llm.Call) (*llm.Answer, error)

	mu       sync.Mutex
	calls    []call
	inFlight int
	most     int // in flight at once
}

type call struct {
	llm.Call
	question string
	at       time.Time
}

func (m *model) Complete(ctx context.Context, c *llm.Call) (*llm.Answer, error) {
	m.mu.Lock()
	made := call{Call: *c, question: question(c), at: time.Now()}
	made.Messages = slices.Clone(c.Messages)
	n := 1
	for _, earlier := range m.calls {
		if earlier.question == made.question {
			n++
		}
	}
	m.calls = append(m.calls, made)
	m.inFlight++
	m.most = max(m.most, m.inFlight)
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.inFlight--
	}()
	if m.latency > 0 {
		select {
		case <-time.After(m.latency):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if m.answer == nil {
		return says(made.question), nil
	}
	return m.answer(n, made.question, c)
}

// asked returns the calls made so far, of one question or, with "", of all.
func (m *model) asked(question string) []call {
	m.mu.Lock()
	defer m.mu.Unlock()
	var calls []call
	for _, c := range m.calls {
		if question == "" || c.question == question {
			calls = append(calls, c)
		}
	}
	return calls
}

// question returns the text of the call's first message of a user.
func question(c *llm.Call) string {
	for i := range c.Messages {
		if c.Messages[i].Role == "user" {
			return c.Messages[i].Text()
		}
	}
	return ""
}

func says(text string) *llm.Answer {
	return &llm.Answer{
		Message: batch.AssistantMessage(text), Text: text, FinishReason: "stop", Model: "m-2026",
		Usage: &batch.TokenUsage{Prompt: 10, Completion: 1, Total: 11},
	}
}

// wants is an answer that asks for tools.
func wants(calls ...batch.ToolCall) *llm.Answer {
	return &llm.Answer{
		Message:      batch.Message{Role: "assistant", ToolCalls: calls},
		FinishReason: "tool_calls", Model: "m-2026", Usage: &batch.TokenUsage{Prompt: 20, Completion: 2, Total: 22},
	}
}

func toolCall(id, name, arguments string) batch.ToolCall {
	return batch.ToolCall{ID: id, Name: name, Arguments: arguments}
}

// unavailable is a failure that another attempt may cure.
func unavailable() *llm.Error {
	return &llm.Error{Kind: batch.ErrServer, Status: 503, Retryable: true, Err: errors.New("503 Service Unavailable")}
}

func executor(c llm.Completer, maxConcurrent int) *stages.Executor {
	return stages.NewExecutor(stages.ExecutorConfig{Completer: c, MaxConcurrent: maxConcurrent, ToolTimeout: time.Minute})
}
