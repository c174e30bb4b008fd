package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/examples/internal/exampletest"
)

const want = `Q: What's the weather in Tokyo?
Tool calls: 1
  get_weather {"location":"Tokyo"} -> Weather in Tokyo: 22°C, sunny
A: Weather in Tokyo: 22°C, sunny

Q: Calculate 123 * 456
Tool calls: 1
  calculate {"expression":"123 * 456"} -> 56088
A: 56088

Q: What's the weather in Paris and what's 50 + 50?
Tool calls: 2
  get_weather {"location":"Paris"} -> Weather in Paris: 22°C, sunny
  calculate {"expression":"50 + 50"} -> 100
A: Weather in Paris: 22°C, sunny; 100

`

func TestTheModelCallsTheToolsThatEachQuestionNeeds(t *testing.T) {
	exampletest.WithoutKey(t)
	require.Equal(t, want, exampletest.Output(t, run))
}

func TestTheExampleRunsUnchangedWithAProviderThatWantsAKey(t *testing.T) {
	server := exampletest.WithProvider(t, nil)
	require.Equal(t, want, exampletest.Output(t, run))
	require.Equal(t, 6, server.Stats().Requests, "each conversation takes two turns")
}
