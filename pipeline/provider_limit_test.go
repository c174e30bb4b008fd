package pipeline

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

// limited is a model with 600 requests a minute, a few of which may come at once. It refuses everything for a second of each
// two minutes besides.
type limited struct {
	mu             sync.Mutex
	began          time.Time
	left           float64
	at             time.Time
	calls, refused int
}

func (m *limited) Complete(_ context.Context, call *llm.Call) (*llm.Answer, error) {
	if wait := m.arrive(); wait > 0 {
		time.Sleep(10 * time.Millisecond)
		return nil, &llm.Error{Kind: batch.ErrRateLimit, Status: 429, Retryable: true, RetryAfter: wait}
	}
	time.Sleep(time.Duration(1+len(call.Messages[0].Content)*7919%40) * 100 * time.Millisecond)
	return &llm.Answer{Text: "done"}, nil
}

func (m *limited) arrive() (wait time.Duration) {
	const perSecond, burst = 10, 20
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if m.began.IsZero() {
		m.began, m.at, m.left = now, now, burst
	}
	m.calls++
	m.left, m.at = min(burst, m.left+perSecond*now.Sub(m.at).Seconds()), now
	overloaded := now.Sub(m.began)%(2*time.Minute) > 2*time.Minute-time.Second
	if m.left >= 1 && !overloaded {
		m.left--
		return 0
	}
	m.refused++
	return time.Second
}

func TestALimitOfRequestsThatNobodyToldOfIsUsedWithFew429sAndNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 10_000
		m := &limited{}
		p := newProcessor(t, &Config{Completer: m, MaxConcurrent: 64})
		response, err := p.Process(t.Context(), requests(n))
		require.NoError(t, err)
		require.Equal(t, n, response.SuccessfulRequests)
		for _, r := range response.Results {
			require.Equal(t, 1, r.Attempts, "a 429 uses up no attempt")
		}
		allowed := 20 + 10*response.WallTime.Seconds()
		t.Logf("%d of %d calls met a 429, %.0f%% of the limit used", m.refused, m.calls, 100*n/allowed)
		require.Less(t, m.refused, m.calls*2/100)
		require.Greater(t, n/allowed, 0.9)
	})
}
