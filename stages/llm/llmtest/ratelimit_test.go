package llmtest_test

import (
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
