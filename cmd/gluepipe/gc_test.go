package main

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestGarbageTakesAQuarterOfWhatIsInUseAndAtLeast32MiB(t *testing.T) {
	const mib = 1 << 20
	for live, want := range map[uint64]uint64{8 * mib: 32, 64 * mib: 32, 128 * mib: 32, 256 * mib: 64, 1024 * mib: 256} {
		require.Equal(t, want, live*uint64(gcPercent(live))/100/mib, "%d MiB in use", live/mib)
	}
	require.Equal(t, maxGCPercent, gcPercent(0))
}

func TestThePaceIsSetAfterEachCollection(t *testing.T) {
	var calls atomic.Int64
	afterEachGC(func() { calls.Add(1) })
	require.EqualValues(t, 1, calls.Load(), "at once")
	for range 3 {
		before := calls.Load()
		require.Eventually(t, func() bool {
			runtime.GC()
			return calls.Load() > before
		}, time.Minute, time.Millisecond)
	}
}
