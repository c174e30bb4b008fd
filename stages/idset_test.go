package stages

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAnIDSetKnowsEveryIDOnce(t *testing.T) {
	s := newIDSet()
	for i := range 200_000 {
		require.True(t, s.add(strconv.Itoa(i)), i)
	}
	for i := range 200_000 {
		require.False(t, s.add(strconv.Itoa(i)), i)
	}
	require.True(t, s.add(""))
	require.False(t, s.add(""))
}

func TestAnIDShardKeepsTheHashesThatCollide(t *testing.T) {
	var s idShard
	for i := uint64(1); i < 100; i++ {
		require.True(t, s.add(i<<32), "all probe from the same slot")
	}
	for i := uint64(1); i < 100; i++ {
		require.False(t, s.add(i<<32))
	}
}

func BenchmarkIDSet(b *testing.B) {
	b.ReportAllocs()
	s := newIDSet()
	for i := range b.N {
		s.add(strconv.Itoa(i))
	}
	slots := 0
	for i := range s.shards {
		slots += len(s.shards[i].slots)
	}
	b.ReportMetric(float64(8*slots)/float64(b.N), "bytes/id")
}
