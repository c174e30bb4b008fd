package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// processesWith returns the ids of the processes that have mark as an argument after the first. A zombie has none.
func processesWith(t *testing.T, mark string) (ids []int) {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	for _, path := range lines {
		line, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(line, []byte("\x00"+mark+"\x00")) {
			continue // it has ended meanwhile, or is another one
		}
		id, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		require.NoError(t, err)
		ids = append(ids, id)
	}
	return ids
}

// requireNoProcessWith waits until there is none: the system takes a moment to end what it was told to end.
func requireNoProcessWith(t *testing.T, mark string) {
	t.Helper()
	require.Eventually(t, func() bool { return len(processesWith(t, mark)) == 0 }, 10*time.Second, 10*time.Millisecond,
		"processes with the argument %s are left", mark)
}

// peakResident returns the bytes of memory that a running process has had at most.
func peakResident(id int) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", id))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if kib, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(kib), " kB"), 10, 64)
			return n << 10, err
		}
	}
	return 0, fmt.Errorf("/proc/%d/status has no VmHWM", id)
}
