package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sashabaranov/go-openai"
	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

// model answers by script: fail says what a call of a prompt returns at its n-th try, nil being an echo.
type model struct {
	takes    time.Duration
	fail     func(prompt string, try int) error
	mu       sync.Mutex
	tries    map[string]int
	inFlight atomic.Int32
	most     atomic.Int32
}

func (m *model) Complete(ctx context.Context, call *llm.Call) (*llm.Answer, error) {
	now := m.inFlight.Add(1)
	defer m.inFlight.Add(-1)
	for most := m.most.Load(); now > most && !m.most.CompareAndSwap(most, now); most = m.most.Load() {
	}
	prompt := call.Messages[len(call.Messages)-1].Text()
	m.mu.Lock()
	if m.tries == nil {
		m.tries = make(map[string]int)
	}
	m.tries[prompt]++
	try := m.tries[prompt]
	m.mu.Unlock()
	if err := pass(ctx, m.takes); err != nil {
		return nil, err
	}
	if m.fail != nil {
		if err := m.fail(prompt, try); err != nil {
			return nil, err
		}
	}
	return &llm.Answer{
		Text: prompt, Message: batch.AssistantMessage(prompt), FinishReason: "stop",
		Usage: &batch.TokenUsage{Prompt: 2, Completion: 1, Total: 3},
	}, nil
}

// pass lets time pass, unless ctx ends first. No time at all isn't waited for: a timer that is up when it is asked crashes the
// race detector now and then, in a bubble of which several goroutines do so at once (Go 1.26).
func pass(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m *model) triesOf(prompt string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.tries[prompt]
}

var (
	errDown = &llm.Error{Kind: batch.ErrServer, Status: 503, Retryable: true, Err: errors.New("503 down")}
	errBad  = &llm.Error{Kind: batch.ErrInvalidRequest, Status: 400, Err: errors.New("400 bad")}
)

func failing(prompt string, err error) func(string, int) error {
	return func(p string, _ int) error {
		if p == prompt {
			return err
		}
		return nil
	}
}

func TestProcessReturnsResultsInTheOrderOfTheRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		takes := &model{takes: time.Second}
		p := newProcessor(t, &Config{Completer: takes, MaxConcurrent: 4})
		rs := requests(10)
		rs[3].Metadata = map[string]any{"user_id": "123", "n": json.Number("1.50")}
		rs[4].ID = ""
		response, err := p.Process(t.Context(), rs)
		require.NoError(t, err)
		require.Len(t, response.Results, 10)
		for i, r := range response.Results {
			require.Equal(t, int64(i), r.Index)
			require.Equal(t, rs[i].UserMessage, r.Response)
			require.Same(t, &rs[i], r.Request)
			if i != 4 {
				require.Equal(t, rs[i].ID, r.ID)
			}
		}
		require.Equal(t, rs[3].Metadata, response.Results[3].Metadata)
		require.Regexp(t, `^batch-[0-9a-f-]{36}-4$`, response.Results[4].ID)
		require.Equal(t, 10, response.SuccessfulRequests)
		require.Equal(t, &batch.TokenUsage{Prompt: 20, Completion: 10, Total: 30}, response.TotalTokensUsed)
		require.Equal(t, 10*time.Second, response.TotalElapsedTime)
		require.Equal(t, 3*time.Second, response.WallTime)
	})
}

func TestContinueKeepsFailuresAmongTheResults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProcessor(t, &Config{Completer: &model{fail: failing("message 1", errBad)}})
		response, err := p.Process(t.Context(), requests(3))
		require.NoError(t, err)
		require.Len(t, response.Results, 3)
		require.Equal(t, "400 bad", response.Results[1].Error)
		require.Equal(t, batch.ErrInvalidRequest, response.Results[1].ErrorType)
		require.Equal(t, 1, response.FailedRequests)
	})
}

func TestSkipReturnsOnlySuccessesAndCountsTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProcessor(t, &Config{Completer: &model{fail: failing("message 1", errBad)}, ErrorStrategy: batch.Skip})
		response, err := p.Process(t.Context(), requests(3))
		require.NoError(t, err)
		require.Equal(t, []string{"r0", "r2"}, idsOf(response.Results))
		require.Equal(t, 3, response.TotalRequests)
		require.Equal(t, 2, response.SuccessfulRequests)
		require.Equal(t, 1, response.FailedRequests)
	})
}

func TestFailFastCancelsTheRunWithTheFailedRequestAsCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &model{takes: time.Minute, fail: failing("message 7", errBad)}
		p := newProcessor(t, &Config{Completer: m, ErrorStrategy: batch.FailFast, MaxConcurrent: 5})
		begin := time.Now()
		response, err := p.Process(t.Context(), requests(10_000))
		var failure *batch.RequestError
		require.ErrorAs(t, err, &failure)
		require.Equal(t, "r7", failure.ID)
		require.Equal(t, int64(7), failure.Index)
		require.ErrorIs(t, err, batch.ErrInvalidRequest)
		require.EqualError(t, err, `request "r7": 400 bad`)
		require.Equal(t, 2*time.Minute, time.Since(begin), "calls in flight are cancelled")
		require.Less(t, response.TotalRequests, 400, "intake stops")
		require.Equal(t, batch.ErrInvalidRequest, response.Results[7].ErrorType)
		for _, r := range response.Results {
			if !r.Success && r.ID != "r7" {
				require.Equal(t, batch.ErrCancelled, r.ErrorType)
			}
		}
		require.GreaterOrEqual(t, response.SuccessfulRequests, 5, "what was finished is delivered")
	})
}

func TestFailFastWaitsForTheRetryToFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &model{fail: func(prompt string, try int) error {
			if prompt == "message 1" && try == 1 {
				return errDown
			}
			return nil
		}}
		p := newProcessor(t, &Config{Completer: m, ErrorStrategy: batch.FailFast, RetryFailed: true})
		response, err := p.Process(t.Context(), requests(3))
		require.NoError(t, err)
		require.Equal(t, 3, response.SuccessfulRequests)
		require.Equal(t, true, response.Results[1].Metadata["_retried"])
		require.Equal(t, 2, response.Results[1].Attempts)
	})
}

func TestRetryFailedTriesOnceMoreAndOnlyWhatCanSucceed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &model{fail: func(prompt string, _ int) error {
			return map[string]error{"message 0": errDown, "message 1": errBad}[prompt]
		}}
		p := newProcessor(t, &Config{Completer: m, RetryFailed: true})
		response, err := p.Process(t.Context(), requests(3))
		require.NoError(t, err)
		require.Equal(t, 2, response.Results[0].Attempts)
		require.Equal(t, 1, response.Results[1].Attempts)
		require.Equal(t, 2, m.triesOf("message 0"))
		require.Equal(t, 1, m.triesOf("message 1"))
		require.Nil(t, response.Results[1].Metadata)
	})
}

func TestOrderedDeliveryWhileTheFirstRequestBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &model{takes: time.Millisecond, fail: func(prompt string, try int) error {
			if prompt == "message 0" && try < 4 {
				return &llm.Error{Kind: batch.ErrServer, Retryable: true, RetryAfter: time.Minute, Err: errors.New("503")}
			}
			return nil
		}}
		p := newProcessor(t, &Config{
			Completer: m, Ordered: true, MaxConcurrent: 4, MaxPending: 8, Retry: stages.RetryPolicy{MaxAttempts: 5},
		})
		n := 0
		for result, err := range p.Stream(t.Context(), source.Slice(requests(500))) {
			require.NoError(t, err)
			require.Equal(t, fmt.Sprintf("r%d", n), result.ID)
			n++
		}
		require.Equal(t, 500, n)
	})
}

func TestADeadlineLeavesTheRestUnfinished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProcessor(t, &Config{Completer: &model{takes: time.Minute}, MaxConcurrent: 2, Deadline: 150 * time.Second})
		response, err := p.Process(t.Context(), requests(20))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.EqualError(t, err, "the run's deadline of 2m30s has passed")
		require.Equal(t, 4, response.SuccessfulRequests)
		require.Equal(t, response.TotalRequests-4, response.UnfinishedRequests)
		for _, r := range response.Results[4:] {
			require.Equal(t, batch.ErrCancelled, r.ErrorType)
		}
	})
}

func TestDrainLeavesWhatWaitsForALaterRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &model{takes: time.Minute, fail: func(prompt string, _ int) error {
			if prompt == "message 0" {
				return &llm.Error{Kind: batch.ErrServer, Retryable: true, RetryAfter: time.Hour, Err: errors.New("503")}
			}
			return nil
		}}
		p := newProcessor(t, &Config{Completer: m, MaxConcurrent: 2, RetryFailed: true})
		time.AfterFunc(90*time.Second, p.Drain)
		begin := time.Now()
		response, err := p.Process(t.Context(), requests(20))
		require.NoError(t, err)
		require.Equal(t, 2*time.Minute, time.Since(begin))
		require.Equal(t, 3, response.SuccessfulRequests)
		require.Equal(t, batch.ErrCancelled, response.Results[0].ErrorType, "a parked retry is left")
		require.Equal(t, response.TotalRequests-3, response.UnfinishedRequests)
		require.Less(t, response.TotalRequests, 20)
	})
}

func TestARateLimitUsesUpNoAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limited := &llm.Error{Kind: batch.ErrRateLimit, Status: 429, Retryable: true, RetryAfter: 20 * time.Second, Err: errors.New("429")}
		m := &model{fail: func(prompt string, try int) error {
			if prompt == "message 0" && try < 4 {
				return limited
			}
			return nil
		}}
		p := newProcessor(t, &Config{Completer: m})
		response, err := p.Process(t.Context(), requests(10))
		require.NoError(t, err)
		require.Equal(t, 10, response.SuccessfulRequests)
		require.Equal(t, 1, response.Results[0].Attempts)
		require.GreaterOrEqual(t, response.Results[0].WaitTime, time.Minute)
		require.Zero(t, response.Results[0].ElapsedTime, "waiting is not work")
	})
}

func TestARateLimitThatDoesNotEndIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limited := &llm.Error{Kind: batch.ErrRateLimit, Status: 429, Retryable: true, RetryAfter: 20 * time.Second, Err: errors.New("429")}
		m := &model{fail: failing("message 0", limited)}
		p := newProcessor(t, &Config{Completer: m, MaxRateLimitWait: time.Minute, RetryFailed: true})
		response, err := p.Process(t.Context(), requests(1))
		require.NoError(t, err)
		require.Equal(t, batch.ErrRateLimit, response.Results[0].ErrorType)
		require.Equal(t, 1, response.Results[0].Attempts)
	})
}

func TestStagesOfTheCallersRunAroundExecute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shout := stages.Map(2, func(_ context.Context, item *batch.Item) error {
			item.Effective.Messages = append(item.Effective.Messages, batch.UserMessage("loudly"))
			return nil
		})
		count := stages.MapResults(2, func(_ context.Context, item *batch.Item) error {
			item.Result.SetMetadata("length", len(item.Result.Response))
			return nil
		})
		p := newProcessor(t, &Config{
			Completer: &model{}, BeforeExecute: []batch.Stage{shout}, AfterExecute: []batch.Stage{count},
		})
		response, err := p.Process(t.Context(), requests(3))
		require.NoError(t, err)
		for _, r := range response.Results {
			require.Equal(t, "loudly", r.Response)
			require.Equal(t, 6, r.Metadata["length"])
		}
	})
}

func TestAStageThatSwallowsItemsIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		swallow := func(_ context.Context, in <-chan *batch.Item, _ chan<- *batch.Item) error {
			for range in {
			}
			return nil
		}
		p := newProcessor(t, &Config{Completer: &model{}, AfterExecute: []batch.Stage{swallow}})
		response, err := p.Process(t.Context(), requests(1000))
		require.ErrorContains(t, err, "AfterExecute[0]: the run stands still for 10m0s: it holds 256 of the 256 requests")
		require.Less(t, response.TotalRequests, 300)
		require.Equal(t, response.TotalRequests, response.UnfinishedRequests+response.SuccessfulRequests)
	})
}

func TestADoubledItemIsAskedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		double := func(_ context.Context, in <-chan *batch.Item, out chan<- *batch.Item) error {
			for item := range in {
				out <- item
				out <- item
			}
			return nil
		}
		m := &model{}
		p := newProcessor(t, &Config{Completer: m, BeforeExecute: []batch.Stage{double}})
		_, err := p.Process(t.Context(), requests(3))
		require.ErrorContains(t, err, "BeforeExecute[0]: it sent an item twice")
		for prompt, tries := range m.tries {
			require.Equal(t, 1, tries, prompt)
		}
	})
}

func TestProgressCountsEachRequestOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var last Progress
		m := &model{fail: func(prompt string, try int) error {
			switch {
			case prompt == "message 3":
				return errBad
			case try == 1:
				return errDown
			}
			return nil
		}}
		p := newProcessor(t, &Config{Completer: m, RetryFailed: true, OnProgress: func(p Progress) {
			if p.Done < last.Done || p.Done > p.Taken || p.Done != p.Succeeded+p.Failed+p.Dropped {
				t.Errorf("progress lies: %+v after %+v", p, last)
			}
			last = p
		}})
		_, err := p.Process(t.Context(), requests(20))
		require.NoError(t, err)
		require.Equal(t, 20, last.Total)
		require.Equal(t, 20, last.Done)
		require.Equal(t, 19, last.Succeeded)
		require.Equal(t, int64(57), last.TokensUsed.Total)
	})
}

func TestProgressDoesNotCallUnfinishedRequestsFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var last Progress
		m := &model{takes: time.Minute, fail: failing("message 0", errBad)}
		p := newProcessor(t, &Config{
			Completer: m, MaxConcurrent: 2, Deadline: 90 * time.Second, OnProgress: func(p Progress) { last = p },
		})
		_, err := p.Process(t.Context(), requests(20))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 1, last.Failed)
		require.Equal(t, 2, last.Done)
		require.Equal(t, last.Taken-2, last.Unfinished)
	})
}

func TestBatchCompleteSimpleReturnsOneTextAMessageWhateverTheStrategy(t *testing.T) {
	for _, strategy := range []batch.ErrorStrategy{batch.Continue, batch.Skip} {
		t.Run(strategy.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				texts, err := BatchCompleteSimple(t.Context(), []string{"a", "", "c"}, &Config{Completer: &model{}, ErrorStrategy: strategy})
				require.NoError(t, err)
				require.Equal(t, []string{"a", `Error: request 2: field "user_message" is missing`, "c"}, texts)
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		m := &model{takes: time.Second, fail: failing("b", errBad)}
		messages := append([]string{"a", "b"}, slices.Repeat([]string{"c"}, 1000)...)
		texts, err := BatchCompleteSimple(t.Context(), messages, &Config{Completer: m, ErrorStrategy: batch.FailFast})
		require.ErrorIs(t, err, batch.ErrInvalidRequest)
		require.Len(t, texts, len(messages))
		require.Equal(t, "Error: 400 bad", texts[1])
		require.Contains(t, texts[1001], "Error: ")
	})
}

func TestAWrongConfigurationIsNamed(t *testing.T) {
	t.Setenv("OPENAI_API_KEY", "")
	for want, cfg := range map[string]*Config{
		"config: MaxConcurrent: want 1 or more":                                               {MaxConcurrent: -2},
		"config: RateLimit.RPM: want 0 or more":                                               {RateLimit: llm.Limits{RPM: -1}},
		"config: Retry.MaxAttempts: want 1 or more":                                           {Retry: stages.RetryPolicy{MaxAttempts: -1}},
		"config: APIKeys: want either APIKey or APIKeys":                                      {APIKey: "a", APIKeys: []string{"b"}},
		"config: ErrorStrategy: unknown error strategy 7":                                     {ErrorStrategy: 7},
		`config: Params: "stream" is not supported: results are whole answers`:                {Params: map[string]any{"stream": true}},
		`config: Tools: "now" is there twice`:                                                 {Tools: []batch.Tool{{Name: "now"}, {Name: "now"}}},
		`config: Model: "gpt-4o" names no provider: want provider:model, as in openai:gpt-4o`: {Model: "gpt-4o"},
		`config: Model: "openai:" names no model: want provider:model`:                        {Model: "openai:"},
	} {
		_, err := NewBatchProcessor(cfg)
		require.EqualError(t, err, want)
	}
	_, err := NewBatchProcessor(&Config{Model: "nobody:x"})
	require.ErrorContains(t, err, `unknown provider "nobody": want one of anthropic, azure,`)
	_, err = NewBatchProcessor(&Config{Model: "openai:x"})
	require.ErrorIs(t, err, batch.ErrAuthentication)
	require.ErrorContains(t, err, "OPENAI_API_KEY")
	_, err = NewBatchProcessor(&Config{Model: "mock:nonsense"})
	require.ErrorContains(t, err, "echo, flaky")
}

func TestARealServerSeesAtMostMaxConcurrentCalls(t *testing.T) {
	server := llmtest.New(t, llmtest.Config{Latency: 2 * time.Millisecond, ErrorRate: 0.2})
	p := newProcessor(t, &Config{
		Model: "openai:some-model", BaseURL: server.BaseURL(), MaxConcurrent: 16,
		Retry: stages.RetryPolicy{MaxAttempts: 20, InitialBackoff: time.Millisecond},
	})
	response, err := p.Process(t.Context(), requests(500))
	require.NoError(t, err)
	require.Equal(t, 500, response.SuccessfulRequests)
	require.LessOrEqual(t, server.Stats().MaxInFlight, 16)
	require.Greater(t, server.Stats().MaxInFlight, 8)
}

func TestARequestsOwnModelGoesToItsProvider(t *testing.T) {
	server := llmtest.New(t, llmtest.Config{})
	p := newProcessor(t, &Config{Model: "openai:some-model", BaseURL: server.BaseURL()})
	t.Setenv("GROQ_API_KEY", "")
	response, err := p.Process(t.Context(), []batch.Request{
		{UserMessage: "a"}, {UserMessage: "b", Model: "other"}, {UserMessage: "c", Model: "mock:length"}, {UserMessage: "d", Model: "groq:x"},
	})
	require.NoError(t, err)
	require.Equal(t, "some-model", response.Results[0].Model)
	require.Equal(t, "other", response.Results[1].Model)
	require.Equal(t, batch.ErrTruncated, response.Results[2].ErrorType)
	require.Contains(t, response.Results[3].Error, "GROQ_API_KEY")
	require.Equal(t, 2, server.Stats().Requests)
}

func TestASecondKeyTakesOverFromARefusedOne(t *testing.T) {
	server := llmtest.New(t, llmtest.Config{APIKeys: []string{"sk-good-0123456789"}})
	p := newProcessor(t, &Config{
		Model: "openai:m", BaseURL: server.BaseURL(), APIKeys: []string{"sk-bad-0123456789ab", "sk-good-0123456789"},
	})
	response, err := p.Process(t.Context(), requests(20))
	require.NoError(t, err)
	require.Equal(t, 20, response.SuccessfulRequests)
}

func TestAPlainErrorOfTheCallersCompleterIsClassified(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		limited := llm.CompleterFunc(func(context.Context, *llm.Call) (*llm.Answer, error) {
			if tries++; tries == 1 {
				return nil, &openai.APIError{HTTPStatusCode: 429, Message: "slow down"}
			}
			return &llm.Answer{Text: "ok"}, nil
		})
		p := newProcessor(t, &Config{Completer: limited})
		response, err := p.Process(t.Context(), requests(1))
		require.NoError(t, err)
		require.True(t, response.Results[0].Success)
		require.Equal(t, 1, response.Results[0].Attempts)
	})
}

// What is paid for and not yet written is lost by a kill.
func TestFewResultsWaitToBeWritten(t *testing.T) {
	for _, n := range []int{1, 2, 5, 16, 64, 500} {
		synctest.Test(t, func(t *testing.T) {
			var finished atomic.Int32
			counting := llm.CompleterFunc(func(context.Context, *llm.Call) (*llm.Answer, error) {
				finished.Add(1)
				return &llm.Answer{Text: "ok"}, nil
			})
			p := newProcessor(t, &Config{Completer: counting, MaxConcurrent: n})
			stuck := make(chan struct{})
			var wg sync.WaitGroup
			wg.Go(func() {
				_, _ = p.Run(t.Context(), source.Slice(requests(3000)), funcSink(func(context.Context, []*batch.Result) error {
					<-stuck
					return nil
				}))
			})
			synctest.Wait()
			// The hand-overs between the stages hold one each.
			require.LessOrEqual(t, int(finished.Load()), max(2*n, n+4))
			close(stuck)
			wg.Wait()
		})
	}
}
