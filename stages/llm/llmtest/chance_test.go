package llmtest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestJitterSpreadsTheLatencyAroundItself(t *testing.T) {
	p := newProfile(Config{Latency: time.Second, Jitter: 0.5})
	var sum, least, most time.Duration
	least = time.Hour
	for n := range uint64(1000) {
		latency := p.latency(n)
		sum, least, most = sum+latency, min(least, latency), max(most, latency)
	}
	require.InDelta(t, 500*time.Millisecond, least, float64(10*time.Millisecond))
	require.InDelta(t, 1500*time.Millisecond, most, float64(10*time.Millisecond))
	require.InDelta(t, time.Second, sum/1000, float64(30*time.Millisecond))
	require.Equal(t, time.Second, newProfile(Config{Latency: time.Second}).latency(1))
}
