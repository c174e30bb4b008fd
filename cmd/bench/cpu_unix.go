//go:build unix

package main

import (
	"os"
	"runtime"
	"syscall"
	"time"
)

// cpu returns the time that this process has computed for.
func cpu() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// peakOf returns the most memory that a process which has ended had resident. Linux counts that of the process that started it
// as well, where that was more.
func peakOf(p *os.ProcessState) float64 {
	usage, ok := p.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	unit := int64(1024)
	if runtime.GOOS == "darwin" {
		unit = 1
	}
	return float64(int64(usage.Maxrss)*unit) / mib //nolint:unconvert // an int32 on some systems
}
