package llmtest_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

func TestRequestsAboveRPMAreToldToWait(t *testing.T) {
	srv, client := start(t, llmtest.Config{RPM: 2, Burst: 1})
	a, err := client.post(hello)
	require.NoError(t, err)
	require.Equal(t, 200, a.status)
	require.Equal(t, "2", a.header.Get("X-Ratelimit-Limit-Requests"))
	require.Equal(t, "0", a.header.Get("X-Ratelimit-Remaining-Requests"))
	require.Equal(t, "30s", a.header.Get("X-Ratelimit-Reset-Requests"))
	require.Empty(t, a.header.Get("Retry-After"))

	a, err = client.post(hello)
	require.NoError(t, err)
	require.Equal(t, 429, a.status)
	require.Equal(t, "requests", a.completion(t).Error.Type)
	require.Equal(t, "rate_limit_exceeded", a.completion(t).Error.Code)
	require.Equal(t, "2", a.header.Get("X-Ratelimit-Limit-Requests"))
	wait, err := time.ParseDuration(a.header.Get("Retry-After") + "s")
	require.NoError(t, err)
	require.Positive(t, wait)
	require.LessOrEqual(t, wait, 30*time.Second)
	require.NotEmpty(t, a.header.Get("Retry-After-Ms"))

	a, err = client.post(hello, "Authorization", "Bearer another")
	require.NoError(t, err)
	require.Equal(t, 200, a.status, "each key has its own limit")
	require.Equal(t, map[int]int{200: 2, 429: 1}, srv.Stats().Statuses)
}

func TestLimitHeadersCanBeLeftOut(t *testing.T) {
	_, client := start(t, llmtest.Config{RPM: 1, NoLimitHeaders: true})
	require.Equal(t, 200, client.ask("m", "hi").status)
	a := client.ask("m", "hi")
	require.Equal(t, 429, a.status)
	for name := range a.header {
		require.NotContains(t, name, "Retry")
		require.NotContains(t, name, "Ratelimit")
	}
}

func TestRetryAfterCanBeInWholeSecondsAlone(t *testing.T) {
	_, client := start(t, llmtest.Config{RPM: 1, Window: time.Minute, WholeSeconds: true})
	require.Equal(t, 200, client.ask("m", "hi").status)
	a := client.ask("m", "hi")
	require.Equal(t, 429, a.status)
	require.Regexp(t, `^\d+$`, a.header.Get("Retry-After"))
	require.Empty(t, a.header.Get("Retry-After-Ms"))
}

func TestRequestsAboveMaxInFlightAreRefused(t *testing.T) {
	release, entered := make(chan struct{}), make(chan struct{})
	srv, client := start(t, llmtest.Config{MaxInFlight: 2, Respond: func(r *llmtest.Request) *llmtest.Answer {
		if r.Prompt() == "wait" {
			entered <- struct{}{}
			<-release
		}
		return nil
	}})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() { client.ask("m", "wait") })
		<-entered
	}
	a := client.ask("m", "hi")
	require.Equal(t, 429, a.status)
	require.Contains(t, a.completion(t).Error.Message, "at most 2")
	require.Equal(t, 429, client.ask("refuse", "hi").status, "the limit is the server's")
	require.Equal(t, 200, client.ask("m?max_in_flight=1", "hi").status, "a limit of its own")
	other, err := client.post(hello, "Authorization", "Bearer another")
	require.NoError(t, err)
	require.Equal(t, 200, other.status, "each key has its own")
	close(release)
	wg.Wait()
	for range 3 {
		require.Equal(t, 200, client.ask("m", "hi").status, "a place is free again")
	}
	require.Equal(t, 2, srv.Stats().Statuses[429])
}

func TestBurst429PassesAfterItsRequests(t *testing.T) {
	_, client := start(t, llmtest.Config{Respond: llmtest.Burst429(2, 1500*time.Millisecond)})
	for range 2 {
		a := client.ask("m", "hi")
		require.Equal(t, 429, a.status)
		require.Equal(t, "1500", a.header.Get("Retry-After-Ms"))
	}
	require.Equal(t, 200, client.ask("m", "hi").status)
}
