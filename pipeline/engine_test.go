package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// requests returns n requests with ids r0, r1, ...
func requests(n int) []batch.Request {
	rs := make([]batch.Request, n)
	for i := range rs {
		rs[i] = batch.Request{ID: fmt.Sprintf("r%d", i), UserMessage: fmt.Sprintf("message %d", i)}
	}
	return rs
}

// settle is a stage that gives every item a success after its time.
func settle(n int, takes func(*batch.Item) time.Duration) batch.Stage {
	return stages.Map(n, func(ctx context.Context, item *batch.Item) error {
		if pass(ctx, takes(item)) != nil {
			return batch.ErrCancelled.Wrap(context.Cause(ctx))
		}
		item.Settle(&batch.Result{Success: true, Response: "ok"})
		return nil
	})
}

func instantly(*batch.Item) time.Duration { return 0 }

func idsOf(results []*batch.Result) []string {
	var ids []string
	for _, r := range results {
		ids = append(ids, r.ID)
	}
	return ids
}

// funcSource is a source made of a function.
type funcSource func(ctx context.Context) (*batch.Item, error)

func (f funcSource) Next(ctx context.Context) (*batch.Item, error) { return f(ctx) }
func (f funcSource) Close() error                                  { return nil }

// funcSink is a sink made of a function.
type funcSink func(ctx context.Context, results []*batch.Result) error

func (f funcSink) Write(ctx context.Context, results []*batch.Result) error { return f(ctx, results) }
func (f funcSink) Close(context.Context) error                              { return nil }

func TestTheEngineMovesItemsFromSourceToSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got memory
		summary, err := new(Engine).Run(t.Context(), source.Slice(requests(10)), &got, settle(3, instantly))
		require.NoError(t, err)
		require.Equal(t, []string{"r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9"}, idsOf(got.inOrder()))
		require.Equal(t, 10, summary.TotalRequests)
		require.Equal(t, 10, summary.SuccessfulRequests)
	})
}

func TestASwallowedItemEndsTheRunWithItsName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		swallow := func(_ context.Context, in <-chan *batch.Item, out chan<- *batch.Item) error {
			for item := range in {
				if item.Index != 3 {
					out <- item
				}
			}
			return nil
		}
		var got memory
		summary, err := new(Engine).Run(t.Context(), source.Slice(requests(5)), &got, settle(1, instantly), swallow)
		require.EqualError(t, err, "a stage received request 4 and never sent it on")
		require.Equal(t, 5, summary.TotalRequests)
		require.Equal(t, 1, summary.UnfinishedRequests)
		require.True(t, got.inOrder()[3].Unfinished())
	})
}

func TestADoubledItemIsDeliveredOnceAndBreaksTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		double := func(_ context.Context, in <-chan *batch.Item, out chan<- *batch.Item) error {
			for item := range in {
				out <- item
				if item.Index == 3 {
					out <- item
				}
			}
			return nil
		}
		var got memory
		_, err := new(Engine).Run(t.Context(), source.Slice(requests(5)), &got, settle(1, instantly), double)
		require.ErrorContains(t, err, "sent an item twice")
		require.Len(t, got.results, len(idsOf(got.inOrder())))
		seen := map[string]int{}
		for _, id := range idsOf(got.results) {
			seen[id]++
		}
		require.Equal(t, 1, seen["r3"])
	})
}

func TestAnItemWithoutAResultBreaksTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got memory
		_, err := new(Engine).Run(t.Context(), source.Slice(requests(1)), &got)
		require.EqualError(t, err, "request 1 came through the stages without a result")
		require.True(t, got.results[0].Unfinished())
	})
}

func TestANextThatIgnoresItsContextIsAbandoned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var late atomic.Int32
		blocked := make(chan struct{})
		n := 0
		src := funcSource(func(context.Context) (*batch.Item, error) {
			if n++; n == 2 {
				<-blocked
			}
			return &batch.Item{
				Request: &batch.Request{ID: fmt.Sprint(n), UserMessage: "x"},
				Ack: func(done bool) {
					if !done {
						late.Add(1)
					}
				},
			}, nil
		})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(5*time.Second, cancel)
		var got memory
		begin := time.Now()
		summary, err := new(Engine).Run(ctx, src, &got, settle(1, instantly))
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, 5*time.Second+nextPatience, time.Since(begin))
		require.Equal(t, 1, summary.TotalRequests)
		require.Equal(t, []string{"1"}, idsOf(got.results))

		close(blocked)
		synctest.Wait()
		require.Equal(t, int32(1), late.Load(), "what Next yielded too late is left for a later run")
	})
}

func TestAnErrorOfTheSourceEndsIntakeAndDeliversWhatIsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("reading requests.jsonl: line 4: disk on fire")
		rs, n := requests(3), 0
		src := funcSource(func(context.Context) (*batch.Item, error) {
			if n == len(rs) {
				return nil, broken
			}
			n++
			return &batch.Item{Request: &rs[n-1]}, nil
		})
		var got memory
		summary, err := new(Engine).Run(t.Context(), src, &got, settle(3, func(*batch.Item) time.Duration { return time.Minute }))
		require.Equal(t, broken, err)
		require.Equal(t, 3, summary.SuccessfulRequests)
		require.Len(t, got.results, 3)
	})
}

func TestAWrappedEOFIsNoEndOfTheSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := funcSource(func(context.Context) (*batch.Item, error) { return nil, fmt.Errorf("downloading: %w", io.EOF) })
		_, err := new(Engine).Run(t.Context(), src, &memory{}, settle(1, instantly))
		require.EqualError(t, err, "downloading: EOF")
	})
}

func TestAFailedSinkCancelsTheWorkAndAcknowledgesNothingMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full := errors.New("writing results.jsonl: no space left on device")
		var done, left int
		rs := requests(100)
		n := 0
		src := funcSource(func(context.Context) (*batch.Item, error) {
			if n == len(rs) {
				return nil, io.EOF
			}
			n++
			return &batch.Item{Request: &rs[n-1], Ack: func(ok bool) {
				if ok {
					done++
				} else {
					left++
				}
			}}, nil
		})
		writes := 0
		sink := funcSink(func(context.Context, []*batch.Result) error {
			if writes++; writes > 2 {
				return full
			}
			return nil
		})
		e := &Engine{MaxBatch: 1, MaxPending: 10}
		summary, err := e.Run(t.Context(), src, sink, settle(2, func(item *batch.Item) time.Duration {
			return time.Duration(item.Index) * time.Second
		}))
		require.Equal(t, full, err)
		require.Equal(t, 3, writes, "a sink that failed is not called again")
		require.Equal(t, 2, done)
		require.Equal(t, 2, summary.SuccessfulRequests)
		require.Equal(t, summary.TotalRequests-2, summary.UnfinishedRequests)
		require.Equal(t, summary.TotalRequests-2, left)
		require.Less(t, summary.TotalRequests, 20)
	})
}

func TestAFailedSinkLeavesTheSkippedFailuresCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := funcSink(func(context.Context, []*batch.Result) error { return errors.New("full") })
		failing := stages.Map(2, func(_ context.Context, item *batch.Item) error {
			if item.Index == 0 {
				time.Sleep(time.Second) // so that both are delivered at once
				item.Settle(&batch.Result{Success: true})
				return nil
			}
			return batch.ErrInvalidRequest.Errorf("bad")
		})
		e := &Engine{Ordered: true}
		summary, err := e.Run(t.Context(), source.Slice(requests(2)), sink, failing, stages.Collect(batch.Skip, nil))
		require.EqualError(t, err, "full")
		require.Equal(t, 2, summary.FailedRequests)
		require.Equal(t, 1, summary.UnfinishedRequests)
		require.Equal(t, map[batch.ErrorKind]int{batch.ErrInvalidRequest: 1, batch.ErrCancelled: 1}, summary.FailedByType)
	})
}

func TestAnItemsIndexReachesAResultThatTheSourceMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		src := funcSource(func(context.Context) (*batch.Item, error) {
			if n++; n > 3 {
				return nil, io.EOF
			}
			item := &batch.Item{Result: &batch.Result{ID: fmt.Sprintf("line-%d", n)}}
			item.Fail(batch.ErrInvalidRequest.Errorf("line %d: not JSON", n))
			return item, nil
		})
		var got memory
		_, err := new(Engine).Run(t.Context(), src, &got, settle(1, instantly))
		require.NoError(t, err)
		for i, r := range got.results {
			require.Equal(t, int64(i), r.Index)
			var failure *batch.RequestError
			require.ErrorAs(t, r.Err, &failure)
			require.Equal(t, int64(i), failure.Index)
			require.Equal(t, fmt.Sprintf("line-%d", i+1), failure.ID)
		}
	})
}

func TestDrainFinishesWhatIsInFlightAndTakesNothingMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &Engine{MaxPending: 4}
		time.AfterFunc(90*time.Second, e.Drain)
		var got memory
		summary, err := e.Run(t.Context(), source.Slice(requests(100)), &got,
			settle(4, func(*batch.Item) time.Duration { return time.Minute }))
		require.NoError(t, err)
		require.Equal(t, 8, summary.SuccessfulRequests)
		require.Equal(t, 8, summary.TotalRequests)
		e.Drain()
		summary, err = e.Run(t.Context(), source.Slice(requests(1)), &memory{}, settle(1, instantly))
		require.NoError(t, err)
		require.Zero(t, summary.TotalRequests, "a drained engine takes nothing")
	})
}

func TestTheSinksContextOutlivesACancelledRunByTheGracePeriod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		var waited time.Duration
		sink := funcSink(func(ctx context.Context, _ []*batch.Result) error {
			begin := time.Now()
			<-ctx.Done()
			waited = time.Since(begin)
			return ctx.Err()
		})
		e := &Engine{Grace: 7 * time.Second}
		_, err := e.Run(ctx, source.Slice(requests(1)), sink, settle(1, instantly))
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, 8*time.Second, waited)
	})
}

func TestOrderedDeliveryWaitsForASlowHeadWithinItsCredits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const pending = 16
		most := 0
		src := &counted{n: 200}
		var got []string
		sink := funcSink(func(_ context.Context, results []*batch.Result) error {
			most = max(most, src.yielded()-len(got))
			got = append(got, idsOf(results)...)
			return nil
		})
		e := &Engine{MaxPending: pending, Ordered: true}
		_, err := e.Run(t.Context(), src, sink, settle(8, func(item *batch.Item) time.Duration {
			if item.Index == 0 {
				return time.Hour
			}
			return time.Second
		}))
		require.NoError(t, err)
		require.LessOrEqual(t, most, pending)
		for i, id := range got {
			require.Equal(t, fmt.Sprint(i+1), id)
		}
		require.Len(t, got, 200)
	})
}

func TestAPanicInASourceSinkOrStageIsAnError(t *testing.T) {
	bang := func() { panic("bang") }
	for name, run := range map[string]func(ctx context.Context) error{
		"source": func(ctx context.Context) error {
			_, err := new(Engine).Run(ctx, funcSource(func(context.Context) (*batch.Item, error) { bang(); return nil, nil }),
				&memory{}, settle(1, instantly))
			return err
		},
		"sink": func(ctx context.Context) error {
			_, err := new(Engine).Run(ctx, source.Slice(requests(1)),
				funcSink(func(context.Context, []*batch.Result) error { bang(); return nil }), settle(1, instantly))
			return err
		},
		"stage": func(ctx context.Context) error {
			_, err := new(Engine).Run(ctx, source.Slice(requests(1)), &memory{},
				func(context.Context, <-chan *batch.Item, chan<- *batch.Item) error { bang(); return nil })
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { require.ErrorContains(t, run(t.Context()), "bang") })
		})
	}
}
