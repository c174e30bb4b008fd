//go:build unix

package main

import (
	"bytes"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

func TestALargeRunKeepsItsBounds(t *testing.T) {
	count, inFlight, latency := 3000, 64, time.Millisecond
	if long() {
		count, inFlight, latency = 100_000, 256, 20*time.Millisecond
	}
	server := llmtest.New(t, llmtest.Config{Latency: latency})
	inTempDir(t, map[string]string{"in.jsonl": requests(count)})
	cmd := program(t, at(server, "run", "in.jsonl", "-o", "out.jsonl", "-c", strconv.Itoa(inFlight))...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	require.NoError(t, cmd.Run(), "%s", &stderr)

	require.LessOrEqual(t, server.Stats().MaxInFlight, inFlight)
	require.Equal(t, count, server.Stats().Requests)
	ids := make(map[string]bool, count)
	for _, r := range results(t, read(t, "out.jsonl")) {
		require.False(t, ids[r.ID], r.ID)
		ids[r.ID] = true
	}
	require.Len(t, ids, count)
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok && long() {
		t.Logf("%d KiB resident at most", usage.Maxrss)
		require.Less(t, usage.Maxrss, int64(150<<10), "KiB resident") // on Linux
	}
}
