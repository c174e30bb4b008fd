package stages_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

// embedding returns an item for each text, whose request asks for its embedding and has it as its id.
func embedding(texts ...string) []*batch.Item {
	items := asking(texts...)
	for i, text := range texts {
		items[i].Request = &batch.Request{ID: text, Input: batch.Text(text)}
	}
	return items
}

// embedder is a Completer of embeddings: the one of a text is its length. It uses a token a byte.
type embedder struct {
	latency time.Duration
	refuse  func(texts []string) error // nil refuses nothing

	mu    sync.Mutex
	calls [][]string
}

func (m *embedder) Complete(ctx context.Context, call *llm.Call) (*llm.Answer, error) {
	if call.Input == nil {
		return says(question(call)), nil
	}
	texts := textsOf(call.Input)
	m.mu.Lock()
	m.calls = append(m.calls, texts)
	m.mu.Unlock()
	if m.latency > 0 {
		select {
		case <-time.After(m.latency):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if m.refuse != nil {
		if err := m.refuse(texts); err != nil {
			return nil, err
		}
	}
	answer := &llm.Answer{Model: "e-2026", Usage: &batch.TokenUsage{}}
	for _, text := range texts {
		answer.Embeddings = append(answer.Embeddings, vectorOf(text))
		answer.Usage.Prompt += int64(len(text))
	}
	answer.Usage.Total = answer.Usage.Prompt
	return answer, nil
}

func vectorOf(text string) []float32 { return []float32{float32(len(text)), float32(text[0])} }

func textsOf(input json.RawMessage) []string {
	var text string
	if json.Unmarshal(input, &text) == nil {
		return []string{text}
	}
	var texts []string
	if json.Unmarshal(input, &texts) != nil {
		return []string{string(input)}
	}
	return texts
}

// sizes returns how many texts each call asked for, in the order of the calls.
func (m *embedder) sizes() []int {
	m.mu.Lock()
	defer m.mu.Unlock()
	var sizes []int
	for _, texts := range m.calls {
		sizes = append(sizes, len(texts))
	}
	return sizes
}

func grouping(c llm.Completer, maxConcurrent, embedBatch int) *stages.Executor {
	return stages.NewExecutor(stages.ExecutorConfig{Completer: c, MaxConcurrent: maxConcurrent, EmbedBatch: embedBatch})
}

// requireEmbedded checks that each item has its own vector.
func requireEmbedded(t require.TestingT, items []*batch.Item) {
	for _, item := range items {
		require.True(t, item.Result.Success, item.Result.Error)
		require.Equal(t, vectorOf(item.ID()), item.Result.Embedding)
	}
}

func TestEmbeddingsAreAskedForTogether(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := &embedder{latency: time.Second}
		items := embedding("a", "bb", "ccc", "dddd", "eeeee")
		begin := time.Now()
		mustRun(t.Context(), t, items, stages.Validate(stages.Defaults{Model: "m"}), stages.Execute(grouping(m, 1, 3)))
		requireEmbedded(t, items)
		require.Equal(t, []int{3, 2}, m.sizes())
		require.Equal(t, 2*time.Second, time.Since(begin))
		for _, item := range items {
			r := item.Result
			require.Equal(t, 1, r.Attempts)
			require.Equal(t, "e-2026", r.Model)
			require.Equal(t, time.Second, r.ElapsedTime)
			require.Empty(t, r.Response)
			require.Nil(t, r.Metadata)
		}
	})
}

func TestAGroupThatDoesNotFillIsAskedForAfterAFewMilliseconds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := &embedder{}
		in, out := make(chan *batch.Item), make(chan *batch.Item)
		go func() {
			defer close(out)
			_ = stages.Execute(grouping(m, 2, 100))(t.Context(), in, out)
		}()
		items := validated(t, embedding("a", "b"), stages.Defaults{})
		begin := time.Now()
		in <- items[0]
		in <- items[1]
		<-out
		require.LessOrEqual(t, time.Since(begin), 10*time.Millisecond)
		<-out
		require.Equal(t, []int{2}, m.sizes(), "a source that is quiet keeps nobody waiting")
		close(in)
		<-out
	})
}

func TestWhileAllWorkersAreBusyAGroupGrows(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := &embedder{latency: time.Minute}
		in, out := make(chan *batch.Item), make(chan *batch.Item, 10)
		go func() {
			defer close(out)
			_ = stages.Execute(grouping(m, 1, 3))(t.Context(), in, out)
		}()
		for _, item := range validated(t, embedding("a", "b", "c", "d"), stages.Defaults{}) {
			in <- item
			time.Sleep(time.Second)
		}
		close(in)
		for range out {
		}
		require.Equal(t, []int{1, 3}, m.sizes())
	})
}

func TestOnlyRequestsThatDifferInTheirTextAloneAreAskedForTogether(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := &embedder{}
		items := embedding("a", "b", "c", "d", "e", "f", "g", "h", "i")
		for i, change := range []func(r *batch.Request){
			2: func(r *batch.Request) { r.Model = "other" },
			3: func(r *batch.Request) { r.Model = "other" },
			4: func(r *batch.Request) { r.Params = map[string]any{"dimensions": 3} },
			5: func(r *batch.Request) { r.Params = map[string]any{"dimensions": json.RawMessage("3")} },
			6: func(r *batch.Request) { r.Timeout = time.Minute },
			7: func(r *batch.Request) { r.Input = json.RawMessage(`[1,2]`) },
			8: func(r *batch.Request) { r.Input = json.RawMessage(`["i"]`) },
		} {
			if change != nil {
				change(items[i].Request)
			}
		}
		mustRun(t.Context(), t, items, stages.Validate(stages.Defaults{Model: "m"}), stages.Execute(grouping(m, 1, 100)))
		require.ElementsMatch(t, []int{2, 2, 2, 1, 1, 1}, m.sizes())
		for _, item := range items {
			require.True(t, item.Result.Success)
			require.Len(t, item.Result.Embedding, 2)
		}
	})
}

func TestAGroupIsBoundedByItsTokensToo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := &embedder{}
		long := strings.Repeat("x", 12_000)
		items := embedding("1"+long, "2"+long, "3"+long, "4"+strings.Repeat(long, 5), "5", "6")
		mustRun(t.Context(), t, items, stages.Validate(stages.Defaults{}), stages.Execute(grouping(m, 1, 100)))
		requireEmbedded(t, items)
		require.Equal(t, []int{2, 1, 1, 2}, m.sizes())
	})
}

func TestSharesOfAGroupsTokensAndCostAddUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const whole, cost = 1009, 0.0123
		c := llm.CompleterFunc(func(_ context.Context, call *llm.Call) (*llm.Answer, error) {
			answer := &llm.Answer{Usage: &batch.TokenUsage{Prompt: whole, Total: whole}, CostUSD: new(cost)}
			for _, text := range textsOf(call.Input) {
				answer.Embeddings = append(answer.Embeddings, vectorOf(text))
			}
			return answer, nil
		})
		items := embedding("a", "bb", "cc", strings.Repeat("d", 1000), "e", "f", "g")
		mustRun(t.Context(), t, items, stages.Validate(stages.Defaults{}), stages.Execute(grouping(c, 1, 100)))
		var sum batch.TokenUsage
		var dollars float64
		for _, item := range items {
			sum.Add(item.Result.TokensUsed)
			dollars += *item.Result.CostUSD
		}
		require.Equal(t, batch.TokenUsage{Prompt: whole, Total: whole}, sum)
		require.InDelta(t, cost, dollars, 1e-12)
		require.Greater(t, items[3].Result.TokensUsed.Total, int64(900), "the longest uses most")
	})
}

func TestATextThatIsRefusedFailsAlone(t *testing.T) {
	for _, refusal := range []*llm.Error{
		{Kind: batch.ErrTokenLimit, Status: 400},
		{Kind: batch.ErrInvalidRequest, Status: 400},
		{Kind: batch.ErrInvalidRequest, Status: 413},
		{Kind: batch.ErrContentFilter, Status: 400},
		{Kind: batch.ErrServer},
	} {
		bubble(t, func(t *testing.T) {
			refusal := *refusal
			refusal.Err = errors.New("refused")
			m := &embedder{latency: time.Second, refuse: func(texts []string) error {
				if slices.Contains(texts, "bad") {
					return &refusal
				}
				return nil
			}}
			items := embedding("1", "2", "3", "4", "5", "bad", "7", "8")
			e := grouping(m, 1, 8)
			mustRun(t.Context(), t, items, stages.Validate(stages.Defaults{}), stages.Execute(e),
				stages.Retry(e, stages.RetryPolicy{MaxAttempts: 5}))
			bad := items[5].Result
			require.Equal(t, refusal.Kind, bad.ErrorType)
			require.Equal(t, "refused", bad.Error)
			require.Equal(t, 1, bad.Attempts)
			requireEmbedded(t, slices.Concat(items[:5], items[6:]))
			require.Equal(t, []int{8, 4, 4, 2, 1, 1, 2}, m.sizes())
			require.Equal(t, 2*time.Second, items[0].Result.ElapsedTime)
			require.Equal(t, 1, items[0].Result.Attempts)
			require.EqualValues(t, 1, items[0].Result.TokensUsed.Total)
		})
	}
}

func TestAFailureOfAllIsNotSearchedForInOne(t *testing.T) {
	for _, failed := range []*llm.Error{
		{Kind: batch.ErrAuthentication, Status: 401},
		{Kind: batch.ErrInvalidRequest, Status: 404},
		{Kind: batch.ErrQuotaExceeded, Status: 429, Fatal: true},
		{Kind: batch.ErrServer, Fatal: true},
	} {
		bubble(t, func(t *testing.T) {
			m := &embedder{refuse: func([]string) error { return failed }}
			items := embedding("a", "b", "c")
			mustRun(t.Context(), t, items, stages.Validate(stages.Defaults{}), stages.Execute(grouping(m, 1, 8)))
			require.Equal(t, []int{3}, m.sizes())
			for _, item := range items {
				require.Equal(t, failed.Kind, item.Result.ErrorType)
				require.False(t, item.Retryable)
				require.Equal(t, item.ID(), item.Result.Err.(*batch.RequestError).ID)
			}
		})
	}
}

func TestAGroupsFailureThatCanBeCuredIsRetriedOneByOne(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := &embedder{refuse: func(texts []string) error {
			if len(texts) > 1 {
				failed := unavailable()
				failed.Usage = &batch.TokenUsage{Prompt: 7, Total: 7}
				return failed
			}
			return nil
		}}
		items := embedding("a", "b", "c")
		e := grouping(m, 2, 8)
		mustRun(t.Context(), t, items, stages.Validate(stages.Defaults{}), stages.Execute(e),
			stages.Retry(e, stages.RetryPolicy{MaxAttempts: 2}))
		requireEmbedded(t, items)
		require.Equal(t, []int{3, 1, 1, 1}, m.sizes())
		total := int64(0)
		for _, item := range items {
			require.Equal(t, 2, item.Result.Attempts)
			require.Equal(t, true, item.Result.Metadata["_retried"])
			total += item.Result.TokensUsed.Total
		}
		require.EqualValues(t, 7+3, total, "what the failed call used is counted once")
	})
}

func TestAnAnswerWithAnotherNumberOfEmbeddingsIsAFailureThatCanBeCured(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := llm.CompleterFunc(func(context.Context, *llm.Call) (*llm.Answer, error) {
			return &llm.Answer{Embeddings: [][]float32{{1}}, Usage: &batch.TokenUsage{Total: 5}}, nil
		})
		items := embedding("a", "b")
		mustRun(t.Context(), t, items, stages.Validate(stages.Defaults{}), stages.Execute(grouping(c, 1, 8)))
		for _, item := range items {
			require.Equal(t, batch.ErrServer, item.Result.ErrorType)
			require.True(t, item.Retryable)
		}
		require.EqualValues(t, 5, items[0].Result.TokensUsed.Total+items[1].Result.TokensUsed.Total)

		none := llm.CompleterFunc(func(context.Context, *llm.Call) (*llm.Answer, error) { return says("Hi"), nil })
		alone := embedding("a")
		mustRun(t.Context(), t, alone, stages.Validate(stages.Defaults{}), stages.Execute(grouping(none, 1, 1)))
		require.Equal(t, "the answer doesn't have an embedding for each text", alone[0].Result.Error)
		require.True(t, alone[0].Retryable)
	})
}

func TestAGroupEndsWithItsRun(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(errBroken) })
		items := embedding("a", "b", "c", "d", "e")
		mustRun(ctx, t, items, stages.Validate(stages.Defaults{}), stages.Execute(grouping(&embedder{latency: time.Hour}, 1, 2)))
		for _, item := range items {
			require.True(t, item.Result.Unfinished(), item.Result.Error)
			require.ErrorIs(t, item.Result.Err, errBroken)
		}

		drain := make(chan struct{})
		time.AfterFunc(time.Second, func() { close(drain) })
		items = embedding("a", "b", "c", "d", "e")
		mustRun(batch.WithDrain(t.Context(), drain), t, items, stages.Validate(stages.Defaults{}),
			stages.Execute(grouping(&embedder{latency: time.Hour}, 1, 2)))
		finished := 0
		for _, item := range items {
			if item.Result.Success {
				finished++
				continue
			}
			require.Equal(t, "left for a later run", item.Result.Error)
			require.Zero(t, item.Result.Attempts)
		}
		require.Equal(t, 2, finished)
	})
}

func TestAGroupsCallThatPanicsFailsItsItemsAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := &embedder{refuse: func(texts []string) error {
			switch {
			case slices.Contains(texts, "c"):
				panic("boom")
			case len(texts) > 2:
				return batch.ErrInvalidRequest.Errorf("too many")
			}
			return nil
		}}
		items := embedding("a", "b", "x", "c", "e")
		mustRun(t.Context(), t, items, stages.Validate(stages.Defaults{}), stages.Execute(grouping(m, 1, 4)))
		for _, item := range items[:4] {
			require.Equal(t, "the model call panicked: boom", item.Result.Error)
		}
		requireEmbedded(t, items[4:])
	})
}

func TestAHedgedGroupSaysSoInEachResult(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := &embedder{}
		items := embedding("a", "b")
		c := llm.Hedge(slowly(m, time.Hour), llm.HedgeConfig{After: 10 * time.Second})
		mustRun(t.Context(), t, items, stages.Validate(stages.Defaults{}), stages.Execute(grouping(c, 1, 8)))
		requireEmbedded(t, items)
		for _, item := range items {
			require.Equal(t, 2, item.Result.Attempts)
			require.Equal(t, map[string]any{"_hedged": true}, item.Result.Metadata)
			require.Equal(t, 10*time.Second, item.Result.ElapsedTime)
		}
	})
}

func TestARequestsTimeoutBoundsTheHalvesToo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := &embedder{latency: time.Second, refuse: func([]string) error { return batch.ErrInvalidRequest.Errorf("no") }}
		items := embedding("a", "b", "c", "d")
		e := stages.NewExecutor(stages.ExecutorConfig{Completer: m, MaxConcurrent: 1, EmbedBatch: 8, RequestTimeout: 1500 * time.Millisecond})
		mustRun(t.Context(), t, items, stages.Validate(stages.Defaults{}), stages.Execute(e))
		require.Equal(t, []int{4, 2, 2}, m.sizes())
	})
}

func TestWithRawAnswersOrWithoutABatchEachEmbeddingHasACallOfItsOwn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		for _, config := range []stages.ExecutorConfig{{EmbedBatch: 8, KeepRaw: true}, {EmbedBatch: 1}, {}} {
			m := &embedder{}
			config.Completer, config.MaxConcurrent = m, 2
			items := embedding("a", "b", "c")
			mustRun(t.Context(), t, items, stages.Validate(stages.Defaults{}), stages.Execute(stages.NewExecutor(config)))
			requireEmbedded(t, items)
			require.Equal(t, []int{1, 1, 1}, m.sizes())
		}
	})
}

func TestEmbeddingsOfAListStandInTheRawAnswerAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := llm.CompleterFunc(func(_ context.Context, call *llm.Call) (*llm.Answer, error) {
			answer := &llm.Answer{Raw: &batch.RawAnswer{Status: 200, Body: []byte("both")}}
			for _, text := range textsOf(call.Input) {
				answer.Embeddings = append(answer.Embeddings, vectorOf(text))
			}
			return answer, nil
		})
		items := embedding("two", "one")
		items[0].Request.Input, items[1].Request.Input = json.RawMessage(`["a","b"]`), json.RawMessage(`["one"]`)
		e := stages.NewExecutor(stages.ExecutorConfig{Completer: c, MaxConcurrent: 1, KeepRaw: true})
		mustRun(t.Context(), t, items, stages.Validate(stages.Defaults{KeepRaw: true}), stages.Execute(e))
		require.True(t, items[0].Result.Success)
		require.Nil(t, items[0].Result.Embedding)
		require.Equal(t, "both", string(items[0].Result.Raw.Body))
		require.Equal(t, vectorOf("one"), items[1].Result.Embedding)
	})
}

func TestTheTrackerFollowsGroups(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tracker := new(stages.Tracker)
		e := stages.NewExecutor(stages.ExecutorConfig{
			Completer: &embedder{latency: time.Minute}, MaxConcurrent: 1, EmbedBatch: 8, Tracker: tracker,
		})
		time.AfterFunc(30*time.Second, func() { require.Len(t, tracker.Slowest(10), 3) })
		mustRun(t.Context(), t, embedding("a", "b", "c"), stages.Validate(stages.Defaults{}), stages.Execute(e))
		require.Empty(t, tracker.Slowest(10))
	})
}

func TestAnyMixOfChatsAndEmbeddingsComesThroughOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(0, 60).Draw(rt, "items")
		kinds := rapid.SliceOfN(rapid.IntRange(0, 5), n, n).Draw(rt, "kinds")
		workers := rapid.IntRange(1, 4).Draw(rt, "workers")
		size := rapid.IntRange(1, 9).Draw(rt, "batch")
		fate := rapid.IntRange(0, 6).Draw(rt, "fate")
		cancelAfter := rapid.IntRange(0, 3000).Draw(rt, "cancel after ms")
		bubble(t, func(t *testing.T) {
			calls := 0
			m := &embedder{latency: 200 * time.Millisecond}
			m.refuse = func(texts []string) error {
				m.mu.Lock()
				defer m.mu.Unlock()
				calls++
				switch {
				case fate == 1 && calls%3 == 0:
					return unavailable()
				case fate == 2 && len(texts)%2 == 0:
					return batch.ErrInvalidRequest.Errorf("even")
				case fate == 3 && calls%4 == 0:
					panic("boom")
				case fate == 4 && strings.Contains(fmt.Sprint(texts), "7"):
					return batch.ErrTokenLimit.Errorf("a 7")
				}
				return nil
			}
			items := numbered(n)
			for i, kind := range kinds {
				id := fmt.Sprint(i)
				switch kind {
				case 1, 2, 3:
					items[i].Request = &batch.Request{ID: id, Input: batch.Text(id)}
				case 4:
					items[i].Request = &batch.Request{ID: id, Input: batch.Text(id), Model: "other"}
				case 5:
					items[i].Drop("not wanted")
				}
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			if fate == 5 {
				stop := time.AfterFunc(time.Duration(cancelAfter)*time.Millisecond+1, func() { cancel(errBroken) })
				defer stop.Stop()
			}
			drain := make(chan struct{})
			if fate == 6 {
				stop := time.AfterFunc(time.Duration(cancelAfter)*time.Millisecond+1, func() { close(drain) })
				defer stop.Stop()
			}
			e := grouping(m, workers, size)
			came := mustRun(batch.WithDrain(ctx, drain), t, items, stages.Validate(stages.Defaults{}), stages.Execute(e),
				stages.Retry(e, stages.RetryPolicy{MaxAttempts: 3}))
			for _, item := range came {
				require.True(t, item.Settled())
				r := item.Result
				if item.Dropped() != "" {
					continue
				}
				require.Equal(t, item.ID(), r.ID)
				require.NotEqual(t, r.Success, r.Err != nil)
				if r.Success && item.Request.Input != nil {
					require.Equal(t, vectorOf(item.ID()), r.Embedding)
				}
				require.False(t, fate == 0 && !r.Success, r.Error)
				require.False(t, fate < 5 && r.Unfinished(), r.Error)
			}
		})
	})
}
