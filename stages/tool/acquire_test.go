package tool_test

import (
	"context"
	"encoding/json"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/tool"
)

// places is a bound on the calls of a tool, which counts how its places are given back.
type places struct {
	free     chan struct{}
	released atomic.Int32
}

func newPlaces(n int) *places {
	p := &places{free: make(chan struct{}, n)}
	for range n {
		p.free <- struct{}{}
	}
	return p
}

func (p *places) acquire(ctx context.Context) (func(), error) {
	select {
	case <-p.free:
		return func() { p.released.Add(1); p.free <- struct{}{} }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func TestTheTimeOfACallBeginsWhenItsPlaceIsFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := sleeping("one", 40*time.Second)
		p := newPlaces(1)
		one.Acquire = p.acquire
		start := time.Now()
		executions := tool.Run(t.Context(), []batch.Tool{one}, []batch.ToolCall{callOf("one"), callOf("one"), callOf("one")}, minute)
		require.Equal(t, 2*time.Minute, time.Since(start))
		for _, e := range executions {
			require.Equal(t, "one slept", e.Result)
			require.Equal(t, 40*time.Second, e.ElapsedTime)
		}
		require.EqualValues(t, 3, p.released.Load())
	})
}

func TestACallThatIsCancelledWhileItWaitsForAPlaceIsNotRun(t *testing.T) {
	for name, stubborn := range map[string]bool{"and heeds its context": false, "and gets it too late": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var called, released atomic.Int32
				waiting := answering("waiting", func(context.Context) (string, error) {
					called.Add(1)
					return "", nil
				})
				waiting.Acquire = func(ctx context.Context) (func(), error) {
					if !stubborn {
						<-ctx.Done()
						return nil, ctx.Err()
					}
					time.Sleep(time.Hour)
					return func() { released.Add(1) }, nil
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				start := time.Now()
				executions := tool.Run(ctx, []batch.Tool{waiting}, []batch.ToolCall{callOf("waiting")}, minute)
				require.Equal(t, time.Minute, time.Since(start))
				require.Equal(t, "error: cancelled", executions[0].Result)
				require.Zero(t, executions[0].ElapsedTime)
				time.Sleep(2 * time.Hour)
				require.Zero(t, called.Load())
				if stubborn {
					require.EqualValues(t, 1, released.Load())
				}
			})
		})
	}
}

func TestAnAbandonedToolKeepsItsPlaceUntilItReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlaces(1)
		deaf := answering("deaf", func(context.Context) (string, error) {
			time.Sleep(time.Hour)
			return "too late", nil
		})
		deaf.Acquire = p.acquire
		executions := tool.Run(t.Context(), []batch.Tool{deaf}, []batch.ToolCall{callOf("deaf")}, minute)
		require.Equal(t, "error: timed out after 1m0s", executions[0].Result)
		require.Empty(t, p.free)
		time.Sleep(time.Hour)
		require.Len(t, p.free, 1)
		require.EqualValues(t, 1, p.released.Load())
	})
}

func TestAPlaceIsGivenBackOnceHoweverTheCallEnds(t *testing.T) {
	for name, do := range map[string]func(){
		"a return": func() {}, "a panic": func() { panic("boom") }, "the end of its goroutine": runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlaces(1)
			one := answering("one", func(context.Context) (string, error) {
				do()
				return "", nil
			})
			one.Acquire = p.acquire
			for range 3 {
				runOne(t, one, "")
			}
			require.EqualValues(t, 3, p.released.Load())
		})
	}
}

func TestWhatGoesWrongWithAPlaceIsTheCallsAnswer(t *testing.T) {
	for want, acquire := range map[string]func(context.Context) (func(), error){
		"error: the server is gone":       func(context.Context) (func(), error) { return nil, errors.New("the server is gone") },
		"error: the tool panicked: boom":  func(context.Context) (func(), error) { panic("boom") },
		"error: the tool panicked: late":  func(context.Context) (func(), error) { return func() { panic("late") }, nil },
		"error: the tool did not return":  func(context.Context) (func(), error) { runtime.Goexit(); return nil, nil },
		"error: the tool panicked: text!": func(context.Context) (func(), error) { return nil, &explosiveText{} },
		"fine":                            func(context.Context) (func(), error) { return nil, nil },
	} {
		one := answering("one", func(context.Context) (string, error) { return "fine", nil })
		one.Acquire = acquire
		e := runOne(t, one, "")
		require.Equal(t, want, e.Result)
		require.Equal(t, want != "fine", e.Error)
	}
}

type explosiveText struct{}

func (*explosiveText) Error() string { panic("text!") }

func TestAToolsOwnTimeoutWinsOverTheRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		short, long, endless := sleeping("short", time.Hour), sleeping("long", 2*time.Minute), sleeping("endless", time.Hour)
		short.Timeout, long.Timeout, endless.Timeout = time.Second, 3*time.Minute, -1
		executions := tool.Run(t.Context(), []batch.Tool{short, long, endless},
			[]batch.ToolCall{callOf("short"), callOf("long"), callOf("endless")}, minute)
		require.Equal(t, "error: timed out after 1s", executions[0].Result)
		require.Equal(t, time.Second, executions[0].ElapsedTime)
		require.Equal(t, "long slept", executions[1].Result)
		require.Equal(t, "endless slept", executions[2].Result)
	})
}

func TestSequentialCallsRunOneAfterTheOtherEachWithItsOwnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex // which orders nothing: an abandoned call goes on beside those behind it
		var order []string
		logged := func(name string, d time.Duration) batch.Tool {
			inner := sleeping(name, d)
			call := inner.Call
			inner.Call = func(ctx context.Context, arguments json.RawMessage) (string, error) {
				mu.Lock()
				order = append(order, name)
				mu.Unlock()
				return call(ctx, arguments)
			}
			return inner
		}
		o := tool.RunOptions{Timeout: time.Minute, Order: batch.Sequential, Turn: 3}
		start := time.Now()
		tools := []batch.Tool{logged("a", 50*time.Second), logged("hangs", time.Hour), logged("b", 50*time.Second)}
		executions := tool.Run(t.Context(), tools, []batch.ToolCall{callOf("b"), callOf("hangs"), callOf("none"), callOf("a")}, o)
		require.Equal(t, 160*time.Second, time.Since(start))
		require.Equal(t, []string{"b", "hangs", "a"}, order)
		require.Equal(t, "b slept", executions[0].Result)
		require.Equal(t, "error: timed out after 1m0s", executions[1].Result)
		require.Contains(t, executions[2].Result, "unknown tool")
		require.Equal(t, "a slept", executions[3].Result)
		require.Equal(t, 3, executions[3].Turn)
	})
}

func TestSequentialCallsBehindACancellationAreNotStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var paid atomic.Bool
		pay := answering("pay", func(context.Context) (string, error) { paid.Store(true); return "paid", nil })
		executions := tool.Run(ctx, []batch.Tool{sleeping("slow", time.Hour), pay}, []batch.ToolCall{callOf("slow"), callOf("pay")},
			tool.RunOptions{Order: batch.Sequential})
		require.Equal(t, "error: cancelled", executions[1].Result)
		require.Zero(t, executions[1].ElapsedTime)
		require.False(t, paid.Load())
	})
}

func TestAnAbandonedCallTouchesNothingOfTheCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := answering("slow", func(context.Context) (string, error) { return "never", nil })
		slow.Acquire = func(context.Context) (func(), error) {
			time.Sleep(time.Hour)
			return nil, nil
		}
		tools, calls := []batch.Tool{slow}, []batch.ToolCall{callOf("slow")}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		executions := tool.Run(ctx, tools, calls, tool.RunOptions{})
		// The race detector would see the abandoned call read them.
		tools[0], calls[0], executions[0] = batch.Tool{}, batch.ToolCall{}, batch.ToolExecution{}
		time.Sleep(2 * time.Hour)
	})
}

func TestACallThatEndedIsNeverTakenForACancelledOne(t *testing.T) {
	quick := answering("quick", func(context.Context) (string, error) { return "quick", nil })
	for range 2000 {
		for _, e := range tool.Run(t.Context(), []batch.Tool{quick}, []batch.ToolCall{callOf("quick"), callOf("quick")}, minute) {
			require.Equal(t, "quick", e.Result)
		}
	}
}
