package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/examples/internal/exampletest"
	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

func TestEveryReviewGetsALabel(t *testing.T) {
	exampletest.WithoutKey(t)
	lines := strings.Split(strings.TrimSpace(exampletest.Output(t, run)), "\n")
	require.Len(t, lines, 3)
	for _, line := range lines {
		require.Regexp(t, `^review [123] is (positive|negative|neutral), about ".+" \(urgent: (true|false)\)$`, line)
	}
}

func TestAnAnswerThatIsNoLabelGoesToAPerson(t *testing.T) {
	server := exampletest.WithProvider(t, func(r *llmtest.Request) *llmtest.Answer {
		if strings.Contains(r.Prompt(), "late") || strings.Contains(r.Prompt(), "schema") {
			return &llmtest.Answer{Content: `{"sentiment": "furious", "topic": "delivery", "urgent": true}`}
		}
		return nil
	})
	out := exampletest.Output(t, run)
	require.Contains(t, out, "review 3 goes to a person: ")
	require.Equal(t, 4, server.Stats().Requests, "it was asked for once more")
}

func TestNoStageIsLeftBehindWhenTheRunIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	exampletest.WithProvider(t, func(*llmtest.Request) *llmtest.Answer {
		cancel()
		return nil
	})
	var out bytes.Buffer
	require.ErrorIs(t, run(ctx, &out), context.Canceled)
}
