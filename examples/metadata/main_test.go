package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/examples/internal/exampletest"
)

func TestResultsCarryTheIDsAndMetadataOfTheirRequests(t *testing.T) {
	exampletest.WithoutKey(t)
	require.Equal(t, `user-123-req-1: user 123, priority high, order 20417
  Where is my parcel?
user-456-req-1: user 456, priority low, order 20398
  How do I return a pair of shoes?
batch-<uuid>-2: user 789, priority low, order 20433
  Do you ship to Norway?

3 of 3 requests succeeded in 1ms
38 tokens: 19 for the prompts, 19 for the answers
`, exampletest.Output(t, run))
}
