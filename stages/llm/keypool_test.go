package llm_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

func ExampleNewKeyPool() {
	key := func(secret string, err error) llm.Key {
		return llm.Key{
			Name: llm.KeyName(secret),
			Completer: llm.CompleterFunc(func(context.Context, *llm.Call) (*llm.Answer, error) {
				return &llm.Answer{Text: "hello from " + llm.KeyName(secret)}, err
			}),
			Limiter: llm.NewLimiter(llm.LimiterConfig{Limits: llm.Limits{RPM: 600}}),
		}
	}
	revoked := &llm.Error{Kind: batch.ErrAuthentication, Status: 401, Err: errors.New("invalid key")}
	pool := llm.NewKeyPool([]llm.Key{key("sk-secret-1a2b", nil), key("sk-secret-3f9c", revoked)}, nil,
		func(name string, err error) { fmt.Println("put aside:", name, err) })
	answer, err := pool.Complete(context.Background(), &llm.Call{})
	fmt.Println(answer.Text, err)
	// Output:
	// put aside: ...3f9c invalid key
	// hello from ...1a2b <nil>
}

func ExampleKeyName() {
	fmt.Println(llm.KeyName("sk-secret-3f9c"), llm.KeyName("short"))
	// Output: ...3f9c ...
}

// mwPool makes a pool of the servers, with keys named ...aaa1, ...aaa2 and so on.
func mwPool(limits llm.Limits, setAside func(string, error), servers ...llm.Completer) *llm.KeyPool {
	keys := make([]llm.Key, len(servers))
	for i, server := range servers {
		keys[i] = llm.Key{Name: fmt.Sprintf("...aaa%d", i+1), Completer: server, Limiter: llm.NewLimiter(llm.LimiterConfig{Limits: limits})}
	}
	return llm.NewKeyPool(keys, nil, setAside)
}

func mwAlways(err error) *mwServer {
	return &mwServer{answer: func(int, *llm.Call) (*llm.Answer, error) { return nil, err }}
}

func TestTwoKeysDoubleTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, other := &mwServer{latency: time.Second}, &mwServer{latency: time.Second}
		began := time.Now()
		pool := mwPool(llm.Limits{RPM: 60}, nil, one, other)
		require.NoError(t, errors.Join(mwRun(t.Context(), pool, 64, 240)...))
		require.Equal(t, 120*time.Second, time.Since(began))
		require.Len(t, one.starts(), 120)
		require.Equal(t, 60, mwMostInAMinute(one.starts()))
		require.Equal(t, 60, mwMostInAMinute(other.starts()))
	})
}

func TestKeysShareTheCallsEvenly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		servers := []*mwServer{{latency: time.Second}, {latency: time.Second}, {latency: time.Second}}
		pool := mwPool(llm.Limits{}, nil, servers[0], servers[1], servers[2])
		require.NoError(t, errors.Join(mwRun(t.Context(), pool, 9, 90)...))
		for _, server := range servers {
			require.InDelta(t, 30, len(server.starts()), 8) // calls that start at the same moment may pick the same key
		}
	})
}

func TestIdleKeysTakeTurns(t *testing.T) {
	servers := []*mwServer{{}, {}, {}}
	pool := mwPool(llm.Limits{}, nil, servers[0], servers[1], servers[2])
	require.NoError(t, errors.Join(mwRun(t.Context(), pool, 1, 9)...))
	for _, server := range servers {
		require.Len(t, server.starts(), 3)
	}
}

func TestASlowKeyGetsFewerCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, fast := &mwServer{latency: 10 * time.Second}, &mwServer{latency: time.Second}
		mwRun(t.Context(), mwPool(llm.Limits{}, nil, slow, fast), 10, 110)
		require.Greater(t, len(fast.starts()), 4*len(slow.starts()))
	})
}

func TestARateLimitedKeyLeavesItsCallsToTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limited := &mwServer{latency: time.Second, answer: mwLimitsFirst(1, time.Hour)}
		free := &mwServer{latency: time.Second}
		began := time.Now()
		pool := llm.Park(mwPool(llm.Limits{}, nil, limited, free), time.Minute)
		require.NoError(t, errors.Join(mwRun(t.Context(), pool, 1, 10)...))
		require.Equal(t, 11*time.Second, time.Since(began))
		require.Len(t, limited.starts(), 1)
	})
}

func TestCallsWaitForTheKeyWhosePauseEndsFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		long := &mwServer{answer: mwLimitsFirst(1, time.Hour)}
		short := &mwServer{answer: mwLimitsFirst(1, time.Minute)}
		began := time.Now()
		_, err := llm.Park(mwPool(llm.Limits{}, nil, long, short), 0).Complete(t.Context(), &llm.Call{})
		require.NoError(t, err)
		require.Equal(t, time.Minute, time.Since(began))
		require.Len(t, short.starts(), 2)
	})
}

func TestARefusedKeyIsPutAsideAndTheOthersGoOn(t *testing.T) {
	for _, kind := range []batch.ErrorKind{batch.ErrAuthentication, batch.ErrQuotaExceeded} {
		t.Run(string(kind), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				refused := mwFailed(kind, 401)
				bad := &mwServer{latency: time.Second, answer: func(int, *llm.Call) (*llm.Answer, error) { return nil, refused }}
				good := &mwServer{latency: time.Second}
				var reports []string
				pool := mwPool(llm.Limits{}, func(name string, err error) {
					require.Equal(t, refused, err)
					reports = append(reports, name)
				}, bad, good)
				require.NoError(t, errors.Join(mwRun(t.Context(), pool, 8, 80)...))
				require.Equal(t, []string{"...aaa1"}, reports)
				require.Less(t, len(bad.starts()), 8, "only calls that were in flight when the first one was refused")
				require.Len(t, good.starts(), 80)
			})
		})
	}
}

func TestWithoutAUsableKeyEveryCallFailsNamingTheKeys(t *testing.T) {
	for n := 1; n <= 3; n++ {
		servers := make([]llm.Completer, n)
		for i := range servers {
			servers[i] = mwAlways(mwFailed(batch.ErrAuthentication, 401))
		}
		pool := mwPool(llm.Limits{}, nil, servers...)
		for range 3 {
			_, err := pool.Complete(t.Context(), &llm.Call{})
			var e *llm.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, batch.ErrAuthentication, e.Kind)
			require.False(t, e.Retryable)
			for i, server := range servers {
				require.ErrorContains(t, err, fmt.Sprintf("...aaa%d (status 401)", i+1))
				require.Len(t, server.(*mwServer).starts(), 1)
			}
		}
	}
}

func TestCallsThatWaitForAKeyFailWhenTheLastOneIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := mwAlways(mwFailed(batch.ErrAuthentication, 401))
		server.latency = time.Second
		began := time.Now()
		for _, err := range mwRun(t.Context(), mwPool(llm.Limits{RPM: 1}, nil, server), 8, 8) {
			require.Equal(t, batch.ErrAuthentication, batch.KindOf(err))
		}
		require.Equal(t, time.Second, time.Since(began))
	})
}

func TestTheLastKeyIsNotPutAsideForItsQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, other := mwAlways(mwFailed(batch.ErrQuotaExceeded, 429)), mwAlways(mwFailed(batch.ErrQuotaExceeded, 402))
		one.latency, other.latency = time.Second, time.Second
		aside := 0
		pool := mwPool(llm.Limits{}, func(string, error) { aside++ }, one, other)
		for _, err := range mwRun(t.Context(), pool, 4, 12) {
			require.Equal(t, batch.ErrQuotaExceeded, batch.KindOf(err))
		}
		require.Equal(t, 1, aside)
	})
}

func TestAForbiddenRequestDoesNotPutItsKeyAside(t *testing.T) {
	forbidden := mwFailed(batch.ErrAuthentication, 403)
	server := mwAlways(forbidden)
	pool := mwPool(llm.Limits{}, func(name string, _ error) { t.Errorf("%s was put aside", name) }, server)
	for range 3 {
		_, err := pool.Complete(t.Context(), &llm.Call{})
		require.Equal(t, forbidden, err)
	}
	require.Len(t, server.starts(), 3)
}

func TestAKeyNeedsNoLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &mwServer{answer: mwLimitsFirst(1, time.Second)}
		pool := llm.NewKeyPool([]llm.Key{{Name: "...", Completer: server}}, nil, nil)
		call := &llm.Call{}
		_, err := llm.Park(pool, 0).Complete(t.Context(), call)
		require.NoError(t, err)
		require.Equal(t, time.Second, call.Waited)
	})
}

func TestNewKeyPoolRefusesMisuse(t *testing.T) {
	require.PanicsWithValue(t, "gluepipe: NewKeyPool needs at least one key", func() { llm.NewKeyPool(nil, nil, nil) })
	limiter := llm.NewLimiter(llm.LimiterConfig{})
	require.Panics(t, func() {
		llm.NewKeyPool([]llm.Key{{Completer: llm.RateLimit(&mwServer{}, limiter), Limiter: limiter}}, nil, nil)
	})
}
