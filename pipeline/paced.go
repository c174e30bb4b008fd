package pipeline

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

// classified lets limits and keys see what an error of the caller's own Completer means.
func classified(next llm.Completer) llm.Completer {
	return llm.CompleterFunc(func(ctx context.Context, call *llm.Call) (*llm.Answer, error) {
		answer, err := next.Complete(ctx, call)
		if err != nil {
			return nil, llm.Classify(ctx, err)
		}
		return answer, nil
	})
}

// maxOutage is how long calls wait for a server that can't be reached.
const maxOutage = time.Minute

// paced wraps the keys of one provider, from the inside out: a call's timeout begins once it has a permit and its key's limits
// let it start, and it is made again when it met a 429 or no server.
func (m *models) paced(keys ...llm.Key) llm.Completer {
	for i := range keys {
		keys[i].Completer = llm.Timeout(keys[i].Completer)
		keys[i].Limiter = llm.NewLimiter(m.limiterConfig(keys[i].Name))
	}
	pool := llm.NewKeyPool(keys, m.permits, func(name string, err error) {
		m.config.Logger.Warn("API key put aside", zap.String("key", name), zap.Error(err))
	})
	if m.pool == nil {
		m.pool = pool // the run's provider comes first
	}
	return llm.Hedge(llm.Park(pool, m.config.MaxRateLimitWait), m.config.Hedge)
}

func (m *models) limiterConfig(key string) llm.LimiterConfig {
	config := llm.LimiterConfig{Limits: m.config.RateLimit, OnPause: func(p llm.Pause) { m.logPause(key, p) }}
	if !m.config.FixedPace {
		config.MaxConcurrent = m.config.MaxConcurrent
	}
	if m.config.AbortAfter > 0 {
		config.MaxOutage = maxOutage
	}
	return config
}

func (m *models) logPause(key string, p llm.Pause) {
	level, what := zap.InfoLevel, "rate limited: calls wait"
	if batch.KindOf(p.Err) != batch.ErrRateLimit {
		level, what = zap.WarnLevel, "no connection: calls wait"
	}
	m.config.Logger.Log(level, what, zap.String("key", key), zap.Duration("for", p.For.Round(time.Millisecond)),
		zap.Int("in_flight", p.InFlight), zap.Error(p.Err))
}
