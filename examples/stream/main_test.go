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

// lines are in no order: a result goes on when it is there.
func lines(text string) []string { return strings.Split(strings.TrimSpace(text), "\n") }

func TestEveryTicketReachesTheStageAfter(t *testing.T) {
	exampletest.WithoutKey(t)
	require.ElementsMatch(t, []string{
		"ticket 7001: I can't log in.",
		"ticket 7002: My invoice is wrong.",
		"ticket 7003: The parcel is late.",
		"ticket 7004: I love it!",
	}, lines(exampletest.Output(t, run)))
}

func TestAFailedTicketGoesToAPerson(t *testing.T) {
	exampletest.WithProvider(t, func(r *llmtest.Request) *llmtest.Answer {
		if r.Prompt() == "My invoice is wrong." {
			return &llmtest.Answer{Refusal: "I'd rather not."}
		}
		return nil
	})
	out := lines(exampletest.Output(t, run))
	require.Len(t, out, 4)
	require.Contains(t, out, "ticket 7002 goes to a person: the model refused: I'd rather not.")
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
