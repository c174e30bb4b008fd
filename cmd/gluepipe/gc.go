package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// paceGC keeps what the process takes near what it uses. By default the garbage collector lets memory grow to twice of that:
// a few megabytes more where little is in use, so that it runs all the time, and hundreds where a run has millions of ids.
// Who sets GOGC or GOMEMLIMIT decides instead.
func paceGC(lookup lookupFunc) {
	for _, name := range []string{"GOGC", "GOMEMLIMIT"} {
		if _, set := lookup(name); set {
			return
		}
	}
	afterEachGC(func() { debug.SetGCPercent(gcPercent(liveHeap())) })
}

const (
	gcRoom       = 32 << 20 // bytes of garbage between two collections, at least
	minGCPercent = 25       // of the bytes in use
	maxGCPercent = 800
)

// gcPercent returns the GOGC for so many bytes in use.
func gcPercent(live uint64) int {
	return int(min(max(gcRoom*100/max(live, 1), minGCPercent), maxGCPercent))
}

func liveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// afterEachGC calls f soon, and after each collection: something that nobody uses is then found to be gone.
func afterEachGC(f func()) {
	f()
	runtime.AddCleanup(new(*byte), afterEachGC, f)
}
