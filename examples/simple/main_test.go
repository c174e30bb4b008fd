package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/examples/internal/exampletest"
)

const want = `Q: What is 2+2?
A: What is 2+2?

Q: What is the capital of France?
A: What is the capital of France?

Q: Explain quantum computing briefly.
A: Explain quantum computing briefly.

`

func TestEachQuestionIsPrintedWithItsAnswer(t *testing.T) {
	exampletest.WithoutKey(t)
	require.Equal(t, want, exampletest.Output(t, run))
}

func TestTheExampleRunsUnchangedWithAProviderThatWantsAKey(t *testing.T) {
	server := exampletest.WithProvider(t, nil)
	require.Equal(t, want, exampletest.Output(t, run))
	require.Equal(t, 3, server.Stats().Requests)
}
