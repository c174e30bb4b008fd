package llm_test

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

// errNobodyThere is what a client says of a server that refuses connections.
func errNobodyThere() error {
	return &llm.Error{
		Kind: batch.ErrAPIConnection, Retryable: true, Err: &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED},
	}
}

// down is a server that nobody reaches until it is up.
type down struct {
	*mwServer

	up time.Duration // since began
}

func newDown(up time.Duration) *down {
	began := time.Now()
	return &down{up: up, mwServer: &mwServer{latency: time.Millisecond, answer: func(int, *llm.Call) (*llm.Answer, error) {
		if time.Since(began) < up {
			return nil, errNobodyThere()
		}
		return &llm.Answer{}, nil
	}}}
}

func awaiting(server llm.Completer, onPause func(llm.Pause)) llm.Completer {
	limiter := llm.NewLimiter(llm.LimiterConfig{MaxConcurrent: 64, MaxOutage: time.Minute, OnPause: onPause})
	return llm.Park(llm.NewKeyPool([]llm.Key{{Completer: server, Limiter: limiter}}, llm.NewPermits(64), nil), 0)
}

func TestCallsWaitForAServerThatCannotBeReached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newDown(30 * time.Second)
		var pauses []llm.Pause
		began := time.Now()
		for _, err := range mwRun(t.Context(), awaiting(server, func(p llm.Pause) { pauses = append(pauses, p) }), 64, 1000) {
			require.NoError(t, err)
		}
		require.Less(t, time.Since(began), 45*time.Second)
		tried := len(server.starts()) - 1000
		require.Less(t, tried, 64+8, "one at a time, after those that were in flight")
		require.Equal(t, time.Second, pauses[0].For)
		require.Equal(t, 8*time.Second, pauses[len(pauses)-1].For)
		require.ErrorIs(t, pauses[0].Err, syscall.ECONNREFUSED)
	})
}

func TestAnOutageOfAMinuteFailsCallsAsFatal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		for _, err := range mwRun(t.Context(), awaiting(newDown(time.Hour), nil), 8, 20) {
			failure, ok := errors.AsType[*llm.Error](err)
			require.True(t, ok)
			require.True(t, failure.Fatal)
			require.False(t, failure.Retryable)
			require.Equal(t, batch.ErrAPIConnection, batch.KindOf(err))
			require.ErrorIs(t, err, syscall.ECONNREFUSED)
			require.Regexp(t, `^no connection for 1m0s: dial tcp: connection refused$`, err.Error())
		}
		require.InDelta(t, time.Minute, time.Since(began), float64(time.Second))
	})
}

func TestAServerThatGoesAwayMidwayIsWaitedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		server := &mwServer{latency: time.Second, answer: func(int, *llm.Call) (*llm.Answer, error) {
			if at := time.Since(began) % (2 * time.Minute); at > 80*time.Second && at < 110*time.Second {
				return nil, errNobodyThere()
			}
			return &llm.Answer{}, nil
		}}
		for _, err := range mwRun(t.Context(), awaiting(server, nil), 8, 3000) {
			require.NoError(t, err)
		}
		require.Greater(t, time.Since(began), 4*time.Minute)
	})
}

func TestAnyAnswerEndsAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		server := llm.CompleterFunc(func(context.Context, *llm.Call) (*llm.Answer, error) {
			if calls.Add(1)%5 == 0 {
				return nil, &llm.Error{Kind: batch.ErrServer, Status: 500, Retryable: true, Err: errors.New("500")}
			}
			return nil, errNobodyThere()
		})
		for _, err := range mwRun(t.Context(), awaiting(server, nil), 1, 50) {
			require.Equal(t, batch.ErrServer, batch.KindOf(err), "never a minute without an answer")
		}
	})
}

func TestCallsThatWaitForAServerAreLeftForALaterRunWhenTheRunDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		drain := make(chan struct{})
		ctx := batch.WithDrain(t.Context(), drain)
		began := time.Now()
		time.AfterFunc(20*time.Second, func() { close(drain) })
		for _, err := range mwRun(ctx, awaiting(newDown(time.Hour), nil), 8, 8) {
			require.Equal(t, batch.ErrCancelled, batch.KindOf(err))
		}
		require.InDelta(t, 20*time.Second, time.Since(began), float64(10*time.Millisecond))
	})
}

func TestWithoutABoundAnOutageIsTheCallsOwnFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, began := newDown(time.Hour), time.Now()
		c := llm.Park(llm.RateLimit(server, llm.NewLimiter(llm.LimiterConfig{MaxConcurrent: 8})), 0)
		for _, err := range mwRun(t.Context(), c, 8, 8) {
			failure, _ := errors.AsType[*llm.Error](err)
			require.True(t, failure.Retryable)
			require.False(t, failure.Fatal)
		}
		require.Less(t, time.Since(began), time.Second)
	})
}

func TestFailuresThatEveryCallWouldMeetAreFatal(t *testing.T) {
	quota := &llm.Error{Kind: batch.ErrQuotaExceeded, Status: 429, Err: errors.New("no credit")}
	refused := &llm.Error{Kind: batch.ErrAuthentication, Status: 401, Err: errors.New("bad key")}
	forbidden := &llm.Error{Kind: batch.ErrAuthentication, Status: 403, Err: errors.New("not this model")}
	tests := map[string]struct {
		keys  []error
		fatal bool
		kind  batch.ErrorKind
	}{
		"the credit of the only key":         {[]error{quota}, true, batch.ErrQuotaExceeded},
		"the credit of all keys":             {[]error{quota, quota}, true, batch.ErrQuotaExceeded},
		"every key refused":                  {[]error{refused, refused}, true, batch.ErrAuthentication},
		"one request forbidden":              {[]error{forbidden}, false, batch.ErrAuthentication},
		"one without credit, one that works": {[]error{quota, nil}, false, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			servers := make([]llm.Completer, len(test.keys))
			for i, err := range test.keys {
				servers[i] = &mwServer{answer: func(int, *llm.Call) (*llm.Answer, error) {
					if err != nil {
						return nil, err
					}
					return &llm.Answer{}, nil
				}}
			}
			pool := mwPool(llm.Limits{}, nil, servers...)
			for range 3 {
				_, err := pool.Complete(t.Context(), &llm.Call{})
				if test.kind == "" {
					require.NoError(t, err)
					continue
				}
				failure, _ := errors.AsType[*llm.Error](err)
				require.Equal(t, test.fatal, failure.Fatal)
				require.Equal(t, test.kind, batch.KindOf(err))
			}
			require.False(t, quota.Fatal, "the completer's own error is left as it is")
		})
	}
}
