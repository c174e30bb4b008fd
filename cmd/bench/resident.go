package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"runtime"
)

const mib = 1 << 20

// residentMiB returns this process's resident memory: as Linux counts it, elsewhere as the Go runtime does.
func residentMiB() float64 { return memoryMiB("VmRSS:") }

// peakMiB returns the most that it ever was; elsewhere than on Linux, what it is.
func peakMiB() float64 { return memoryMiB("VmHWM:") }

func memoryMiB(name string) float64 {
	if kib, ok := statusKiB(name); ok {
		return float64(kib) / 1024
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.Sys-m.HeapReleased) / mib
}

// statusKiB reads a line of /proc/self/status.
func statusKiB(name string) (kib int, ok bool) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, false
	}
	for lines := bufio.NewScanner(bytes.NewReader(status)); lines.Scan(); {
		if n, _ := fmt.Sscanf(lines.Text(), name+" %d kB", &kib); n == 1 {
			return kib, true
		}
	}
	return 0, false
}
