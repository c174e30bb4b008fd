package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/examples/internal/exampletest"
)

const want = `Batch 1: 2 of 2 succeeded
  144
  125
Batch 2: 2 of 2 succeeded
  What is the tallest mountain?
  What is the longest river?
`

func TestOneProcessorAnswersBothBatches(t *testing.T) {
	exampletest.WithoutKey(t)
	require.Equal(t, want, exampletest.Output(t, run))
}

func TestEveryRequestOfBothBatchesHasTheSystemPrompt(t *testing.T) {
	server := exampletest.WithProvider(t, nil)
	require.Equal(t, want, exampletest.Output(t, run))
	require.Len(t, server.Bodies(), 6, "the first batch takes two turns")
	for _, body := range server.Bodies() {
		require.Contains(t, string(body), "You are a helpful assistant.")
	}
}
