package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/examples/internal/exampletest"
)

func TestOnlyWhatCanSucceedIsRetried(t *testing.T) {
	exampletest.WithoutKey(t)
	require.Equal(t, `fact: Tell me something about octopuses. (retried, 2 attempts)
no-message: failed: request 2: field "user_message" is missing
joke: Tell me a joke about them. (retried, 2 attempts)
`, exampletest.Output(t, run))
}

func TestNothingIsRetriedWhereTheFirstAttemptSucceeds(t *testing.T) {
	server := exampletest.WithProvider(t, nil)
	require.Equal(t, `fact: Tell me something about octopuses.
no-message: failed: request 2: field "user_message" is missing
joke: Tell me a joke about them.
`, exampletest.Output(t, run))
	require.Equal(t, 2, server.Stats().Requests)
}
