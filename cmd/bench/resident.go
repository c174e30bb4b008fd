package main

import (
	"fmt"
	"os"
	"runtime"
)

// residentMiB returns this process's resident memory: as Linux counts it, elsewhere as the Go runtime does.
func residentMiB() float64 {
	const mib = 1 << 20
	if statm, err := os.ReadFile("/proc/self/statm"); err == nil {
		var size, resident int
		if _, err := fmt.Sscan(string(statm), &size, &resident); err == nil {
			return float64(resident*os.Getpagesize()) / mib
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.Sys-m.HeapReleased) / mib
}
