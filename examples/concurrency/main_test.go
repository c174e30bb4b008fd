package main

import (
	"context"
	"regexp"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/examples/internal/exampletest"
	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

const want = `At most 3 at once: 20 of 20 succeeded
  Wall time:             1ms
  Total processing time: 1ms
  Concurrency benefit:   1.0x
At most 10 at once: 20 of 20 succeeded
  Wall time:             1ms
  Total processing time: 1ms
  Concurrency benefit:   1.0x
At most 20 at once: 20 of 20 succeeded
  Wall time:             1ms
  Total processing time: 1ms
  Concurrency benefit:   1.0x
`

var benefit = regexp.MustCompile(`\d+\.\dx`)

func TestEachConcurrencyIsPrintedWithItsBenefit(t *testing.T) {
	exampletest.WithoutKey(t)
	require.Equal(t, want, benefit.ReplaceAllString(exampletest.Output(t, run), "1.0x"))
}

func TestTheLastRunHasAllItsRequestsInFlightAtOnce(t *testing.T) {
	var arrived atomic.Int64
	all := make(chan struct{})
	server := exampletest.WithProvider(t, func(r *llmtest.Request) *llmtest.Answer {
		n := arrived.Add(1)
		if n <= 40 {
			return nil
		}
		if n == 60 {
			close(all)
		}
		ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second) // so that a failing test ends
		defer cancel()
		select {
		case <-all:
		case <-ctx.Done():
		}
		return nil
	})
	require.Equal(t, want, benefit.ReplaceAllString(exampletest.Output(t, run), "1.0x"))
	require.Equal(t, 20, server.Stats().MaxInFlight)
}
