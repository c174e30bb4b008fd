package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/examples/internal/exampletest"
)

const want = `Q: When do I get my refund?
A: When do I get my refund? (Handbook: Refunds are paid within 30 days.)
Q: Are you open on Sundays?
A: Are you open on Sundays?
Q: Do you ship to Japan?
A: Do you ship to Japan? (Handbook: We ship to Europe only.)
Q: When do I get my refund?
A: When do I get my refund? (Handbook: Refunds are paid within 30 days.)
   (from the cache)
`

func TestTheModelReadsTheHandbookAndTheCacheRemembersItsAnswer(t *testing.T) {
	exampletest.WithoutKey(t)
	require.Equal(t, want, exampletest.Output(t, run))
}

func TestAQuestionThatTheCacheKnowsIsNotSent(t *testing.T) {
	server := exampletest.WithProvider(t, nil)
	require.Equal(t, want, exampletest.Output(t, run))
	require.Equal(t, 3, server.Stats().Requests)
	require.Equal(t, 1, server.Attempts("When do I get my refund? (Handbook: Refunds are paid within 30 days.)"))
}
