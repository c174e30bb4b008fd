package main

import (
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

// However a run ends, the next does exactly what is left: nothing that is on disk is asked again, and each id is there once.
func TestHoweverARunEndsTheNextDoesExactlyWhatIsLeft(t *testing.T) {
	const count = 3000
	tests := map[string]struct {
		flags  []string
		signal int // how many interrupts, once 500 calls were made
		code   int
		left   int // the exit code of the run that does the rest
	}{
		"fail_fast":      {flags: []string{"--error-strategy", "fail_fast"}, code: exitBroken, left: exitFailures},
		"a deadline":     {flags: []string{"--deadline", "0.2"}, code: exitBroken, left: exitFailures},
		"one interrupt":  {signal: 1, code: exitInterrupted, left: exitFailures},
		"two interrupts": {signal: 2, code: exitInterrupted, left: exitFailures},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			asked := map[string]bool{}
			reached := make(chan struct{})
			server := llmtest.New(t, llmtest.Config{Latency: 2 * time.Millisecond, Respond: func(r *llmtest.Request) *llmtest.Answer {
				mu.Lock()
				defer mu.Unlock()
				if asked[r.Prompt()] = true; len(asked) == 500 {
					close(reached)
				}
				if r.Prompt() == "prompt 700" {
					return llmtest.Error(http.StatusBadRequest, "bad_request", "no such thing")
				}
				return nil
			}})
			inTempDir(t, map[string]string{"in.jsonl": requests(count)})
			args := at(server, "run", "in.jsonl", "-o", "out.jsonl", "-c", "16")
			cmd := program(t, append(args, test.flags...)...)
			var stderr strings.Builder
			cmd.Stderr = &stderr
			require.NoError(t, cmd.Start())
			if test.signal > 0 {
				<-reached
				for range test.signal {
					require.NoError(t, cmd.Process.Signal(os.Interrupt))
				}
			}
			_ = cmd.Wait()
			require.Equal(t, test.code, cmd.ProcessState.ExitCode(), stderr.String())

			onDisk := map[string]bool{}
			for _, r := range results(t, read(t, "out.jsonl")) {
				onDisk["prompt "+strings.TrimPrefix(r.ID, "r")] = true
			}
			require.Less(t, len(onDisk), count)
			mu.Lock()
			asked = map[string]bool{}
			reached = make(chan struct{})
			mu.Unlock()
			require.Equal(t, test.left, gluepipe(t, "", nil, args...).code)

			require.Len(t, asked, count-len(onDisk))
			for prompt := range asked {
				require.False(t, onDisk[prompt], prompt)
			}
			once := map[string]bool{}
			for _, r := range results(t, read(t, "out.jsonl")) {
				require.False(t, once[r.ID], r.ID)
				once[r.ID] = true
			}
			require.Len(t, once, count)
		})
	}
}
