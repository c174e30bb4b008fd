package main

import (
	"os"
	"syscall"
	"time"
)

// cpu returns the time that this process has computed for.
func cpu() time.Duration {
	self, err := syscall.GetCurrentProcess()
	if err != nil {
		return 0
	}
	var created, exited, kernel, user syscall.Filetime
	if err := syscall.GetProcessTimes(self, &created, &exited, &kernel, &user); err != nil {
		return 0
	}
	return duration(kernel) + duration(user)
}

// duration reads what Windows counts in steps of 100 ns.
func duration(t syscall.Filetime) time.Duration {
	return time.Duration(int64(t.HighDateTime)<<32|int64(t.LowDateTime)) * 100
}

// peakOf would return the most memory that a process which has ended had resident: unknown.
func peakOf(*os.ProcessState) float64 { return 0 }
