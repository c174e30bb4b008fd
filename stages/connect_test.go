package stages_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// pass is the simplest stage that there is.
func pass(_ context.Context, in <-chan *batch.Item, out chan<- *batch.Item) error {
	for item := range in {
		out <- item
	}
	return nil
}

// mark writes its text on each item.
func mark(text string) batch.Stage {
	return func(_ context.Context, in <-chan *batch.Item, out chan<- *batch.Item) error {
		for item := range in {
			item.Origin += text
			out <- item
		}
		return nil
	}
}

// passThen passes on n items, or as many as there are, and then ends as end says.
func passThen(n int, end func() error) batch.Stage {
	return func(_ context.Context, in <-chan *batch.Item, out chan<- *batch.Item) error {
		for range n {
			item, ok := <-in
			if !ok {
				return nil
			}
			out <- item
		}
		return end()
	}
}

var errBroken = errors.New("broken")

func returnNil() error   { return nil }
func returnError() error { return errBroken }
func panicking() error   { panic(errBroken) }

func TestConnectPassesItemsFromStageToStageInOrder(t *testing.T) {
	for name, chain := range map[string][]batch.Stage{
		"stages":           {mark("a"), mark("b"), mark("c")},
		"a chain":          {stages.Chain(mark("a"), mark("b"), mark("c"))},
		"chains in chains": {stages.Chain(mark("a"), stages.Chain(stages.Chain(), mark("b"))), stages.Chain(mark("c"))},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				items := numbered(20)
				came := mustRun(t.Context(), t, items, chain...)
				require.Equal(t, items, came)
				for i, item := range came {
					require.Equal(t, fmt.Sprintf("line %dabc", i+1), item.Origin)
				}
			})
		})
	}
}

func TestConnectWithoutStagesPassesItemsOn(t *testing.T) {
	for name, chain := range map[string][]batch.Stage{"no stage": nil, "an empty chain": {stages.Chain()}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				items := numbered(5)
				require.Equal(t, items, mustRun(t.Context(), t, items, chain...))
			})
		})
	}
}

func TestConnectLeavesOutOpen(t *testing.T) {
	bubble(t, func(t *testing.T) {
		in, out := make(chan *batch.Item), make(chan *batch.Item, 1)
		close(in)
		require.NoError(t, stages.Connect(t.Context(), []batch.Stage{pass, stages.Chain(pass)}, 0, in, out, func(error) {}))
		require.NotPanics(t, func() { out <- nil })
	})
}

func TestConnectBuffersBetweenStagesAsManyItemsAsAsked(t *testing.T) {
	for _, buffer := range []int{0, 3} {
		bubble(t, func(t *testing.T) {
			var taken atomic.Int64
			counting := stages.Map(1, func(context.Context, *batch.Item) error {
				taken.Add(1)
				return nil
			})
			in, out := make(chan *batch.Item, 20), make(chan *batch.Item)
			for _, item := range numbered(20) {
				in <- item
			}
			close(in)
			go func() {
				defer close(out)
				_ = stages.Connect(t.Context(), []batch.Stage{counting, pass}, buffer, in, out, func(error) {})
			}()
			synctest.Wait()
			require.EqualValues(t, buffer+2, taken.Load(), "each of the two stages holds one")
			for range out {
			}
		})
	}
}

func TestItemsPassABrokenStageUnfinished(t *testing.T) {
	tests := map[string]struct {
		end  func() error
		text string
		is   error
	}{
		"that returns early":    {returnNil, "a stage returned before its input ended", nil},
		"that returns an error": {returnError, "broken", errBroken},
		"that panics":           {panicking, "a stage panicked: ", errBroken},
	}
	for name, test := range tests {
		for where, broken := range map[string]func(batch.Stage) batch.Stage{
			"":            func(s batch.Stage) batch.Stage { return s },
			" in a chain": func(s batch.Stage) batch.Stage { return stages.Chain(pass, s, pass) },
		} {
			t.Run(name+where, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					items := numbered(10)
					came, err := run(t.Context(), items, pass, broken(passThen(4, test.end)), pass)
					require.ErrorContains(t, err, test.text)
					require.ElementsMatch(t, items, came)
					for _, item := range items[:4] {
						require.Nil(t, item.Result)
					}
					for _, item := range items[4:] {
						require.True(t, item.Result.Unfinished())
						require.ErrorContains(t, item.Result.Err, "the run broke: ")
						require.ErrorContains(t, item.Result.Err, test.text)
						if test.is != nil {
							require.ErrorIs(t, item.Result.Err, test.is)
							require.ErrorIs(t, err, test.is)
						}
					}
				})
			})
		}
	}
}

func TestSettledItemsPassABrokenStageUnchanged(t *testing.T) {
	bubble(t, func(t *testing.T) {
		items := numbered(3)
		items[0].Settle(&batch.Result{Success: true, Response: "paid for"})
		items[1].Drop("not wanted")
		items[2].Fail(batch.ErrServer.Errorf("overloaded"))
		items[2].Retryable = true
		_, err := run(t.Context(), items, passThen(0, returnError))
		require.ErrorIs(t, err, errBroken)
		require.Equal(t, "paid for", items[0].Result.Response)
		require.True(t, items[0].Result.Success)
		require.Nil(t, items[1].Result)
		require.True(t, items[2].Result.Unfinished(), "nobody tries it again")
	})
}

func TestABrokenStageIsReportedWhileItsInputStaysOpen(t *testing.T) {
	for name, chain := range map[string][]batch.Stage{
		"a stage":             {pass, passThen(1, returnError), pass},
		"a stage that panics": {pass, passThen(1, panicking), pass},
		"a stage in a chain":  {pass, stages.Chain(pass, stages.Chain(passThen(1, returnError)), pass), pass},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				in, out := make(chan *batch.Item), make(chan *batch.Item, 1)
				var reported []error
				go func() { in <- asking("a")[0] }()
				// Only the report closes the input: without it, this is a deadlock.
				err := stages.Connect(t.Context(), chain, 0, in, out, func(err error) {
					reported = append(reported, err)
					close(in)
				})
				require.ErrorIs(t, err, errBroken)
				require.Len(t, reported, 1)
				require.ErrorIs(t, reported[0], errBroken)
				require.Len(t, out, 1)
			})
		})
	}
}

func TestConnectReturnsTheErrorsOfAllBrokenStages(t *testing.T) {
	bubble(t, func(t *testing.T) {
		other := errors.New("broken too")
		_, err := run(t.Context(), numbered(3), passThen(1, returnError), passThen(2, func() error { return other }))
		require.ErrorIs(t, err, errBroken)
		require.ErrorIs(t, err, other)
	})
}

func TestAChainEndsWhenItIsBrokenAndItsInputStaysOpen(t *testing.T) {
	bubble(t, func(t *testing.T) {
		in, out := make(chan *batch.Item), make(chan *batch.Item, 1)
		go func() { in <- asking("a")[0] }()
		err := stages.Chain(pass, passThen(1, returnError))(t.Context(), in, out)
		require.ErrorIs(t, err, errBroken)
	})
}

// randomStage draws a stage, well-behaved or not, and tells whether it breaks on n items. It swallows none.
func randomStage(t *rapid.T, n, depth int) (stage batch.Stage, breaks bool) {
	after := rapid.IntRange(0, 25).Draw(t, "after")
	kinds := []string{"pass", "map", "returns early", "error", "panic", "chain"}
	if depth == 0 {
		kinds = kinds[:5]
	}
	switch rapid.SampledFrom(kinds).Draw(t, "kind") {
	case "map":
		failing := func(_ context.Context, item *batch.Item) error {
			switch item.Index % 4 {
			case 1:
				return errBroken
			case 2:
				panic("no")
			case 3:
				item.Drop("not wanted")
			}
			return nil
		}
		return stages.Map(rapid.IntRange(1, 4).Draw(t, "workers"), failing), false
	case "returns early":
		return passThen(after, returnNil), after < n
	case "error":
		return passThen(after, returnError), after <= n
	case "panic":
		return passThen(after, panicking), after <= n
	case "chain":
		inner, breaks := randomChain(t, n, depth-1)
		return stages.Chain(inner...), breaks
	}
	return pass, false
}

func randomChain(t *rapid.T, n, depth int) (chain []batch.Stage, breaks bool) {
	for range rapid.IntRange(0, 4).Draw(t, "stages") {
		stage, b := randomStage(t, n, depth)
		chain, breaks = append(chain, stage), breaks || b
	}
	return chain, breaks
}

func TestEveryItemComesOutOfAnyChainExactlyOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(0, 30).Draw(rt, "items")
		chain, breaks := randomChain(rt, n, 2)
		buffer := rapid.IntRange(0, 3).Draw(rt, "buffer")
		cancelled := rapid.Bool().Draw(rt, "cancelled")

		items := numbered(n)
		var came []*batch.Item
		var err error
		var reports atomic.Int64
		bubble(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if cancelled {
				cancel()
			}
			in, out := make(chan *batch.Item), make(chan *batch.Item)
			go func() {
				defer close(in)
				for _, item := range items {
					in <- item
				}
			}()
			go func() {
				defer close(out)
				err = stages.Connect(ctx, chain, buffer, in, out, func(error) { reports.Add(1) })
			}()
			for item := range out {
				came = append(came, item)
			}
		})
		seen := make(map[*batch.Item]int)
		for _, item := range came {
			seen[item]++
		}
		for _, item := range items {
			if seen[item] != 1 {
				rt.Fatalf("%s came out %d times", item.Origin, seen[item])
			}
		}
		if len(came) != n || (err != nil) != breaks || (reports.Load() > 0) != breaks {
			rt.Fatalf("%d of %d items, breaks: %v, reported %d times, error: %v", len(came), n, breaks, reports.Load(), err)
		}
	})
}
