package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/examples/internal/exampletest"
)

const want = `continue:
  ✓ france: What is the capital of France?
  ✗ nowhere: InvalidRequestError: request 2: field "user_message" is missing
  ✓ japan: What is the capital of Japan?
  1 of 3 requests failed
skip:
  ✓ france: What is the capital of France?
  ✓ japan: What is the capital of Japan?
  1 of 3 requests failed
fail_fast:
  the run ended at request "nowhere": request 2: field "user_message" is missing
`

func TestEachStrategyDoesWithTheFailureWhatItIsFor(t *testing.T) {
	exampletest.WithoutKey(t)
	require.Equal(t, want, exampletest.Output(t, run))
}

func TestTheFailingRequestFailsWithARealProviderToo(t *testing.T) {
	server := exampletest.WithProvider(t, nil)
	require.Equal(t, want, exampletest.Output(t, run))
	require.Zero(t, server.Attempts(""), "it is never sent")
}
