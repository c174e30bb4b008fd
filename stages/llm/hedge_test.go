package llm_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

func ExampleHedge() {
	var calls sync.Map
	client := llm.CompleterFunc(func(ctx context.Context, call *llm.Call) (*llm.Answer, error) {
		if _, second := calls.LoadOrStore(call.Model, true); !second {
			<-ctx.Done() // the first call hangs
			return nil, ctx.Err()
		}
		return &llm.Answer{Text: "hello"}, nil
	})
	call := &llm.Call{Model: "m"}
	answer, err := llm.Hedge(client, llm.HedgeConfig{After: time.Millisecond}).Complete(context.Background(), call)
	fmt.Println(answer.Text, err, call.Hedges)
	// Output: hello <nil> 1
}

// hedgeLeg is what one call under a Hedge does: it waits for limits, announces itself, and then takes its time.
type hedgeLeg struct {
	wait, takes time.Duration
	pause       time.Duration // it meets a 429 at once, and waits that long before it begins anew
	answer      *llm.Answer
	err         error
	panics      string
	deaf        bool // does its work to the end, whatever becomes of its context
}

// hedgeScript makes each call by the next of its legs; the ones after the last are quick and good.
type hedgeScript struct {
	legs []hedgeLeg

	mu                            sync.Mutex
	calls, made, ended, cancelled int
}

func (s *hedgeScript) Complete(ctx context.Context, call *llm.Call) (*llm.Answer, error) {
	s.mu.Lock()
	leg := hedgeLeg{answer: &llm.Answer{}}
	if s.calls < len(s.legs) {
		leg = s.legs[s.calls]
	}
	s.calls++
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.ended++
		if ctx.Err() != nil {
			s.cancelled++
		}
	}()
	if leg.deaf {
		ctx = context.WithoutCancel(ctx)
	}
	began := time.Now()
	_ = pass(ctx, leg.wait)
	call.Waited += time.Since(began)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	llm.AnnounceStart(ctx)
	if leg.pause > 0 {
		time.Sleep(leg.pause)
		call.Waited += leg.pause
		llm.AnnounceStart(ctx)
	}
	s.mu.Lock()
	s.made++
	s.mu.Unlock()
	if err := pass(ctx, leg.takes); err != nil && leg.panics == "" {
		return nil, err
	}
	if leg.panics != "" {
		panic(leg.panics)
	}
	return leg.answer, leg.err
}

func hedgeAnswer(text string) *llm.Answer {
	return &llm.Answer{Text: text, Usage: &batch.TokenUsage{Prompt: 1, Completion: 2, Total: 3}, CostUSD: new(0.5)}
}

func hedgeError(text string, retryable bool) error {
	return &llm.Error{Kind: batch.ErrServer, Retryable: retryable, Err: errors.New(text)}
}

const hour = time.Hour

func TestAHedgedCall(t *testing.T) {
	tests := map[string]struct {
		legs      []hedgeLeg
		text, err string
		took      time.Duration
		waited    time.Duration
		calls     int // that reached the completer
		hedges    int
		tokens    int64
	}{
		"that is quick is made once": {
			legs: []hedgeLeg{{takes: 9 * time.Second, answer: hedgeAnswer("first")}},
			text: "first", took: 9 * time.Second, calls: 1, tokens: 3,
		},
		"that hangs is answered by the second": {
			legs: []hedgeLeg{{takes: hour}, {takes: time.Second, answer: hedgeAnswer("second")}},
			text: "second", took: 11 * time.Second, calls: 2, hedges: 1, tokens: 3,
		},
		"that is slow is answered by the first where that is quicker": {
			legs: []hedgeLeg{{takes: 15 * time.Second, answer: hedgeAnswer("first")}, {takes: hour}},
			text: "first", took: 15 * time.Second, calls: 2, hedges: 1, tokens: 3,
		},
		"whose second fails waits for the first": {
			legs: []hedgeLeg{{takes: 15 * time.Second, answer: hedgeAnswer("first")}, {err: hedgeError("second", false)}},
			text: "first", took: 15 * time.Second, calls: 2, hedges: 1, tokens: 3,
		},
		"whose first fails waits for the second": {
			legs: []hedgeLeg{
				{takes: 11 * time.Second, err: hedgeError("first", true)},
				{takes: 5 * time.Second, answer: hedgeAnswer("second")},
			},
			text: "second", took: 15 * time.Second, calls: 2, hedges: 1, tokens: 3,
		},
		"that fails twice has the first one's error": {
			legs: []hedgeLeg{
				{takes: 15 * time.Second, err: hedgeError("first", true)},
				{takes: time.Second, err: hedgeError("second", true)},
			},
			err: "first", took: 15 * time.Second, calls: 2, hedges: 1,
		},
		"that fails twice has the first one's error, though the second failed later": {
			legs: []hedgeLeg{
				{takes: 11 * time.Second, err: hedgeError("first", true)},
				{takes: 5 * time.Second, err: hedgeError("second", true)},
			},
			err: "first", took: 15 * time.Second, calls: 2, hedges: 1,
		},
		"whose first can't be cured returns at once": {
			legs: []hedgeLeg{{takes: 11 * time.Second, err: hedgeError("first", false)}, {takes: hour}},
			err:  "first", took: 11 * time.Second, calls: 2, hedges: 1,
		},
		"that fails before it is slow is not made again": {
			legs: []hedgeLeg{{takes: time.Second, err: hedgeError("first", true)}},
			err:  "first", took: time.Second, calls: 1,
		},
		"that waits for limits is not slow": {
			legs: []hedgeLeg{{wait: hour, takes: time.Second, answer: hedgeAnswer("first")}},
			text: "first", took: hour + time.Second, waited: hour, calls: 1, tokens: 3,
		},
		"that waited for limits may be slow then": {
			legs: []hedgeLeg{
				{wait: hour, takes: hour}, {wait: time.Second, takes: time.Second, answer: hedgeAnswer("second")},
			},
			text: "second", took: hour + 12*time.Second, waited: hour + time.Second, calls: 2, hedges: 1, tokens: 3,
		},
		"that waits for the end of a pause is not slow": {
			legs: []hedgeLeg{{pause: hour, takes: time.Second, answer: hedgeAnswer("first")}, {wait: 2 * hour}},
			text: "first", took: hour + time.Second, waited: hour, calls: 2, tokens: 3,
		},
		"that waited for the end of a pause may be slow then": {
			legs: []hedgeLeg{
				{pause: hour, takes: hour},
				{wait: 2 * hour}, // held back by the same pause, and called off when the first begins anew
				{takes: time.Second, answer: hedgeAnswer("second")},
			},
			text: "second", took: hour + 11*time.Second, waited: hour, calls: 3, hedges: 1, tokens: 3,
		},
		"whose second doesn't pass its limits in time costs nothing": {
			legs: []hedgeLeg{{takes: 15 * time.Second, answer: hedgeAnswer("first")}, {wait: hour}},
			text: "first", took: 15 * time.Second, calls: 2, tokens: 3,
		},
		"that fails doesn't wait for a second that waits": {
			legs: []hedgeLeg{{takes: 15 * time.Second, err: hedgeError("first", true)}, {wait: hour}},
			err:  "first", took: 15 * time.Second, calls: 2,
		},
		"tells what both used, where the second lost with an answer": {
			legs: []hedgeLeg{
				{takes: 15 * time.Second, answer: hedgeAnswer("first")},
				{takes: 6 * time.Second, answer: hedgeAnswer("second"), deaf: true},
			},
			text: "first", took: 16 * time.Second, calls: 2, hedges: 1, tokens: 6,
		},
		"tells what both used, where the first lost with an answer": {
			legs: []hedgeLeg{
				{takes: 15 * time.Second, answer: hedgeAnswer("first"), deaf: true},
				{takes: time.Second, answer: hedgeAnswer("second")},
			},
			text: "second", took: 15 * time.Second, calls: 2, hedges: 1, tokens: 6,
		},
		"tells what both used, where the first failed": {
			legs: []hedgeLeg{
				{takes: 11 * time.Second, err: &llm.Error{
					Kind: batch.ErrServer, Retryable: true, Usage: &batch.TokenUsage{Total: 10},
				}},
				{takes: 5 * time.Second, answer: hedgeAnswer("second")},
			},
			text: "second", took: 15 * time.Second, calls: 2, hedges: 1, tokens: 13,
		},
		"tells what both used, where both failed": {
			legs: []hedgeLeg{
				{takes: 15 * time.Second, err: hedgeError("first", true)},
				{takes: time.Second, err: &llm.Error{
					Kind: batch.ErrServer, Retryable: true, Usage: &batch.TokenUsage{Total: 10},
				}},
			},
			err: "first", took: 15 * time.Second, calls: 2, hedges: 1, tokens: 10,
		},
		"whose second panics waits for the first": {
			legs: []hedgeLeg{{takes: 15 * time.Second, answer: hedgeAnswer("first")}, {panics: "second"}},
			text: "first", took: 15 * time.Second, calls: 2, hedges: 1, tokens: 3,
		},
		"keeps the second's answer though the first panics when it is cancelled": {
			legs: []hedgeLeg{{takes: hour, panics: "first"}, {takes: time.Second, answer: hedgeAnswer("second")}},
			text: "second", took: 11 * time.Second, calls: 2, hedges: 1, tokens: 3,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				script := &hedgeScript{legs: append([]hedgeLeg{{}}, test.legs...)}
				script.legs[0].answer = &llm.Answer{}
				hedged := llm.Hedge(script, llm.HedgeConfig{After: 10 * time.Second})
				_, err := hedged.Complete(t.Context(), &llm.Call{}) // by it, the hedge learns that there are limits
				require.NoError(t, err)

				began, call := time.Now(), &llm.Call{}
				answer, err := hedged.Complete(t.Context(), call)
				require.Equal(t, test.took, time.Since(began))
				require.Equal(t, test.waited, call.Waited)
				require.Equal(t, test.calls, script.calls-1)
				require.Equal(t, script.calls, script.ended, "no leg outlives the call")
				require.Equal(t, test.hedges, call.Hedges)
				var usage *batch.TokenUsage
				if test.err != "" {
					require.EqualError(t, err, test.err)
					usage = errorOf(err).Usage
				} else {
					require.NoError(t, err)
					require.Equal(t, test.text, answer.Text)
					usage = answer.Usage
				}
				if test.tokens > 0 {
					require.Equal(t, test.tokens, usage.Total)
				}
			})
		})
	}
}

func errorOf(err error) *llm.Error {
	e, _ := errors.AsType[*llm.Error](err)
	return e
}

func TestAPanicOfTheFirstLegReachesTheCallerWhenTheSecondHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		script := &hedgeScript{legs: []hedgeLeg{{takes: 15 * time.Second, panics: "boom"}, {takes: hour}}}
		hedged := llm.Hedge(script, llm.HedgeConfig{After: 10 * time.Second})
		require.PanicsWithValue(t, "boom", func() { _, _ = hedged.Complete(t.Context(), &llm.Call{}) })
		require.Equal(t, 2, script.ended)
		require.Equal(t, 1, script.cancelled)
	})
}

func TestNoLegOutlivesACompleterThatEndsItsGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		script := &hedgeScript{legs: []hedgeLeg{{takes: hour}}}
		var calls atomic.Int32
		hedged := llm.Hedge(llm.CompleterFunc(func(ctx context.Context, call *llm.Call) (*llm.Answer, error) {
			if calls.Add(1) == 1 {
				time.Sleep(15 * time.Second)
				runtime.Goexit()
			}
			return script.Complete(ctx, call)
		}), llm.HedgeConfig{After: 10 * time.Second})
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = hedged.Complete(t.Context(), &llm.Call{})
		}()
		<-done
		require.Equal(t, 1, script.ended)
	})
}

func TestAHedgeEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		script := &hedgeScript{legs: []hedgeLeg{{takes: hour}, {takes: hour}}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		_, err := llm.Hedge(script, llm.HedgeConfig{After: 10 * time.Second}).Complete(ctx, &llm.Call{})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Minute, time.Since(began))
		require.Equal(t, 2, script.cancelled)
		require.Equal(t, 2, script.ended)
	})
}

func TestTheSecondLegHasWhatIsLeftOfTheTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hedged := llm.Hedge(llm.Timeout(&mwServer{latency: hour}), llm.HedgeConfig{After: 10 * time.Second})
		began := time.Now()
		_, err := hedged.Complete(t.Context(), &llm.Call{Timeout: time.Minute})
		require.EqualError(t, err, "no answer within 1m0s")
		require.Equal(t, time.Minute, time.Since(began))
	})
}

func TestWithoutLimitsBelowACallBeginsWhenItIsMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &mwServer{latency: 15 * time.Second}
		call := &llm.Call{}
		_, err := llm.Hedge(server, llm.HedgeConfig{After: 10 * time.Second}).Complete(t.Context(), call)
		require.NoError(t, err)
		require.Len(t, server.starts(), 2)
		require.Equal(t, 1, call.Hedges)
	})
}

func TestARequestIsHedgedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &mwServer{latency: 15 * time.Second}
		call := &llm.Call{Hedges: 1}
		_, err := llm.Hedge(server, llm.HedgeConfig{After: 10 * time.Second}).Complete(t.Context(), call)
		require.NoError(t, err)
		require.Len(t, server.starts(), 1)
		require.Equal(t, 1, call.Hedges)
	})
}

func TestAnOutageIsNotDoubledByHedges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hedges, calls int
		hedged := llm.Hedge(&mwServer{latency: hour}, llm.HedgeConfig{After: 10 * time.Second})
		for range 1000 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			call := &llm.Call{}
			_, err := hedged.Complete(ctx, call)
			cancel()
			require.Error(t, err)
			hedges += call.Hedges
			calls++
		}
		require.LessOrEqual(t, hedges, calls/20+1)
		require.GreaterOrEqual(t, hedges, calls/20)
	})
}

func TestQuickCallsSaveUpAFewHedges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &mwServer{}
		hedged := llm.Hedge(server, llm.HedgeConfig{After: 10 * time.Second})
		require.NoError(t, errors.Join(mwRun(t.Context(), hedged, 1, 1000)...))
		server.latency = 15 * time.Second
		require.NoError(t, errors.Join(mwRun(t.Context(), hedged, 15, 15)...))
		require.Len(t, server.starts(), 1000+15+5)
	})
}

func TestACallThatStaysSlowIsHedgedWhenOthersHaveEarnedIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		script := &hedgeScript{legs: []hedgeLeg{{takes: hour}, {takes: hour}}}
		hedged := llm.Hedge(script, llm.HedgeConfig{After: 10 * time.Second})
		began := time.Now()
		var wg sync.WaitGroup
		for range 2 { // there is one hedge to begin with
			wg.Go(func() { _, _ = hedged.Complete(t.Context(), &llm.Call{}) })
		}
		time.Sleep(35 * time.Second)
		require.NoError(t, errors.Join(mwRun(t.Context(), hedged, 1, 20)...))
		wg.Wait()
		require.Equal(t, 40*time.Second, time.Since(began))
		require.Equal(t, 2+20+2, script.calls)
	})
}

func TestAHedgeThatWasNotMadeIsNotCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		script := &hedgeScript{}
		for range 10 {
			script.legs = append(script.legs, hedgeLeg{takes: 15 * time.Second, answer: &llm.Answer{}}, hedgeLeg{wait: hour})
		}
		hedged := llm.Hedge(script, llm.HedgeConfig{After: 10 * time.Second})
		for range 10 {
			call := &llm.Call{}
			_, err := hedged.Complete(t.Context(), call)
			require.NoError(t, err)
			require.Zero(t, call.Hedges)
		}
		require.Equal(t, 20, script.calls, "each was given back")
		require.Equal(t, 10, script.made)
	})
}

// hedgeTail is a server whose calls take about a second, and every nth a hundred.
func hedgeTail(nth int32) llm.Completer {
	var calls atomic.Int32
	return llm.CompleterFunc(func(ctx context.Context, _ *llm.Call) (*llm.Answer, error) {
		n := calls.Add(1)
		latency := time.Second + time.Duration(n%7)*time.Millisecond
		if n%nth == 0 {
			latency *= 100
		}
		select {
		case <-time.After(latency):
			return &llm.Answer{}, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
}

func TestHedgesCutTheTail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const calls, workers = 1000, 10
		var mu sync.Mutex
		slowest, hedges := time.Duration(0), 0
		hedged := llm.Hedge(hedgeTail(70), llm.HedgeConfig{Percentile: 95})
		counted := llm.CompleterFunc(func(ctx context.Context, call *llm.Call) (*llm.Answer, error) {
			began := time.Now()
			answer, err := hedged.Complete(ctx, call)
			mu.Lock()
			defer mu.Unlock()
			slowest = max(slowest, time.Since(began))
			hedges += call.Hedges
			return answer, err
		})
		require.NoError(t, errors.Join(mwRun(t.Context(), counted, workers, calls)...))
		require.Less(t, slowest, 10*time.Second, "of 100 without hedges")
		require.Positive(t, hedges)
		require.LessOrEqual(t, hedges, calls/20+1)
	})
}

func TestAPercentileWaitsForASampleOfEachModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &mwServer{latency: time.Second}
		hedged := llm.Hedge(server, llm.HedgeConfig{Percentile: 95})
		slow := func(model string) (hedges int) {
			server.latency = 15 * time.Second
			defer func() { server.latency = time.Second }()
			call := &llm.Call{Model: model}
			_, err := hedged.Complete(t.Context(), call)
			require.NoError(t, err)
			return call.Hedges
		}
		for range 18 {
			_, err := hedged.Complete(t.Context(), &llm.Call{Model: "m"})
			require.NoError(t, err)
		}
		require.Zero(t, slow("m"))
		_, _ = hedged.Complete(t.Context(), &llm.Call{Model: "m"})
		require.Equal(t, 1, slow("m"))
		require.Zero(t, slow("another"))
	})
}

func TestCallsThatWereCutShortStillCountAsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Three in a hundred take 5 seconds, and would each be cut short after 2. They are no exceptions to the 99th
		// percentile, so that in the end they are waited for.
		var first atomic.Bool
		var slow bool
		hedged := llm.Hedge(llm.CompleterFunc(func(ctx context.Context, _ *llm.Call) (*llm.Answer, error) {
			latency := time.Second
			if first.Swap(false) && slow {
				latency = 5 * time.Second
			}
			select {
			case <-time.After(latency):
				return &llm.Answer{}, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}), llm.HedgeConfig{Percentile: 99})
		var hedges [1000]int
		for i := range hedges {
			first.Store(true)
			slow = i%33 == 32
			call := &llm.Call{}
			_, err := hedged.Complete(t.Context(), call)
			require.NoError(t, err)
			hedges[i] = call.Hedges
		}
		require.Contains(t, hedges[:500], 1)
		require.NotContains(t, hedges[700:], 1)
	})
}

func TestOneCallThatHangsAtARealServerIsAnsweredAllTheSame(t *testing.T) {
	server, err := llmtest.Start(llmtest.Config{Respond: func(r *llmtest.Request) *llmtest.Answer {
		if r.Attempt == 1 && r.Prompt() == "hang" {
			return &llmtest.Answer{Fault: llmtest.Hang}
		}
		return nil
	}})
	require.NoError(t, err)
	defer server.Close()
	client, err := llm.NewClient(llm.ClientConfig{BaseURL: server.BaseURL()})
	require.NoError(t, err)
	defer client.Close()
	permits := llm.NewPermits(2)
	paced := llm.RateLimit(permits.Limit(llm.Timeout(client)), llm.NewLimiter(llm.LimiterConfig{}))
	hedged := llm.Hedge(llm.Park(paced, 0), llm.HedgeConfig{After: 20 * time.Millisecond})
	call := &llm.Call{Model: "m", Messages: []batch.Message{batch.UserMessage("hang")}}
	answer, err := hedged.Complete(t.Context(), call)
	require.NoError(t, err)
	require.Equal(t, "hang", answer.Text)
	require.Equal(t, 1, call.Hedges)
	require.Zero(t, permits.InFlight(), "the call that hung has gone")
}

func TestAWrongHedgeIsNamed(t *testing.T) {
	for want, config := range map[string]llm.HedgeConfig{
		"want After of 0 or more, got -1ns":                   {After: -1},
		"want Percentile of 0 or more and below 100, got 100": {Percentile: 100},
		"want either After or Percentile":                     {After: time.Second, Percentile: 95},
	} {
		require.EqualError(t, config.Validate(), want)
		require.PanicsWithValue(t, "gluepipe: llm.Hedge: "+want, func() { llm.Hedge(&mwServer{}, config) })
	}
	require.Error(t, llm.HedgeConfig{Percentile: math.NaN()}.Validate())
	require.Error(t, llm.HedgeConfig{Percentile: -1}.Validate())
}

func TestWithoutAConfigurationNothingIsHedged(t *testing.T) {
	server := &mwServer{}
	require.Same(t, server, llm.Hedge(server, llm.HedgeConfig{}))
}
