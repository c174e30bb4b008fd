package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

// moody is a model that does a share of its calls wrong, in every way there is.
type moody struct {
	share float64 // of the calls that go wrong
	slow  time.Duration

	mu             sync.Mutex
	random         *rand.Rand
	inFlight, most int
	ended          map[string]int // by prompt: calls that ended an attempt; not those that met a rate limit
}

func (m *moody) Complete(ctx context.Context, call *llm.Call) (answer *llm.Answer, err error) {
	last := call.Messages[len(call.Messages)-1]
	prompt := call.Messages[slices.IndexFunc(call.Messages, func(m batch.Message) bool { return m.Role == "user" })].Text()
	m.mu.Lock()
	m.inFlight++
	m.most = max(m.most, m.inFlight)
	takes, mood := time.Duration(m.random.Int64N(int64(m.slow)+1)), m.random.IntN(10)
	good := m.random.Float64() >= m.share
	m.mu.Unlock()
	endsAttempt := true
	defer func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.inFlight--
		if endsAttempt {
			m.ended[prompt]++
		}
	}()
	if err := pass(ctx, takes); err != nil {
		return nil, err
	}
	echo := &llm.Answer{
		Text: prompt, Message: batch.AssistantMessage(prompt), FinishReason: "stop",
		Usage: &batch.TokenUsage{Prompt: 1, Completion: 1, Total: 2},
	}
	if good {
		return echo, nil
	}
	switch mood {
	case 0:
		panic("the model panics")
	case 1:
		return nil, nil
	case 2:
		<-ctx.Done()
		return nil, ctx.Err()
	case 3:
		time.Sleep(time.Second) // whatever its context says
		return echo, nil
	case 4:
		return nil, &llm.Error{Kind: batch.ErrInvalidRequest, Status: 400, Err: errors.New("400")}
	case 5:
		endsAttempt = false
		return nil, &llm.Error{
			Kind: batch.ErrRateLimit, Status: 429, Retryable: true, RetryAfter: 2 * time.Second, Err: errors.New("429"),
		}
	case 6, 7:
		if last.Role == "tool" {
			return echo, nil
		}
		endsAttempt = false
		calls := []batch.ToolCall{{ID: "1", Name: "mean", Arguments: "{}"}, {ID: "2", Name: "unheard of", Arguments: "?"}}
		return &llm.Answer{Message: batch.Message{Role: "assistant", ToolCalls: calls}, FinishReason: "tool_calls"}, nil
	default:
		return nil, &llm.Error{Kind: batch.ErrServer, Status: 503, Retryable: true, Err: errors.New("503")}
	}
}

// meanTool fails, panics or takes its time.
func (m *moody) meanTool() batch.Tool {
	return batch.Tool{Name: "mean", Description: "d", Call: func(context.Context, json.RawMessage) (string, error) {
		m.mu.Lock()
		mood := m.random.IntN(4)
		m.mu.Unlock()
		switch mood {
		case 0:
			panic("the tool panics")
		case 1:
			return "", errChaos
		case 2:
			time.Sleep(2 * time.Minute) // longer than its timeout
		}
		return "done", nil
	}}
}

// process runs the world through a processor, inside a bubble, and checks what must hold whatever went wrong.
func (w *world) process(m *moody, cfg *Config) error {
	cfg.Completer, cfg.Tools, cfg.MaxPending, cfg.Ordered = m, []batch.Tool{m.meanTool()}, w.maxPending, w.ordered
	p, err := NewBatchProcessor(cfg)
	if err != nil {
		return err
	}
	defer p.Close()
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	if w.cancelAt > 0 {
		time.AfterFunc(w.cancelAt, func() { cancel(errors.New("cancelled by the test")) })
	}
	if w.drainAt > 0 {
		time.AfterFunc(w.drainAt, p.Drain)
	}
	summary, err := p.Run(ctx, chaosSource{w}, chaosSink{w})
	time.Sleep(3 * time.Hour) // an abandoned Next has returned by now
	w.check(summary, err)
	if m.most > cfg.MaxConcurrent {
		w.problem("%d calls at once, at most %d may", m.most, cfg.MaxConcurrent)
	}
	for _, r := range w.results {
		switch prompt := fmt.Sprint(r.Index); {
		case r.ID != prompt:
			w.problem("result %s has the index %d", r.ID, r.Index)
		case r.Success == (r.Error != "" || r.ErrorType != "" || r.Err != nil):
			w.problem("result %s is neither a success nor a failure: %+v", r.ID, *r)
		case r.Success && r.Response != prompt:
			w.problem("result %s has the answer %q", r.ID, r.Response)
		case r.Attempts < m.ended[prompt]:
			w.problem("result %s: %d attempts, and yet %d calls ended one", r.ID, r.Attempts, m.ended[prompt])
		case r.Attempts > max(1, cfg.Retry.MaxAttempts):
			w.problem("result %s: %d attempts, at most %d were asked for", r.ID, r.Attempts, cfg.Retry.MaxAttempts)
		}
	}
	return err
}

func TestWhateverGoesWrongInAProcessorEachRequestEndsExactlyOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := drawWorld(rt)
		w.stageFault, w.maxBatch = none, 64
		cfg := &Config{
			MaxConcurrent: rapid.IntRange(1, 8).Draw(rt, "maxConcurrent"),
			Retry:         stages.RetryPolicy{MaxAttempts: rapid.IntRange(0, 4).Draw(rt, "maxAttempts")},
			ErrorStrategy: rapid.SampledFrom([]batch.ErrorStrategy{batch.Continue, batch.Continue, batch.Skip, batch.FailFast}).
				Draw(rt, "strategy"),
			Timeout: time.Duration(rapid.IntRange(1, 60).Draw(rt, "timeout")) * time.Second,
		}
		if rapid.IntRange(0, 4).Draw(rt, "has a deadline") == 0 {
			cfg.Deadline = time.Duration(rapid.IntRange(1, 20_000).Draw(rt, "deadline")) * time.Millisecond
		}
		m := &moody{
			share: float64(rapid.IntRange(0, 10).Draw(rt, "faults")) / 10, slow: w.workSlow,
			random: rand.New(rand.NewPCG(w.seed, 1)), ended: make(map[string]int),
		}
		synctest.Test(t, func(*testing.T) { _ = w.process(m, cfg) })
		for _, problem := range w.problems {
			rt.Error(problem)
		}
	})
}
