package main

import (
	"context"
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/examples/internal/exampletest"
)

// TestMain makes the test binary the server where it is started as one.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "serve" {
		main()
		return
	}
	os.Exit(m.Run())
}

const want = `Q: What's the weather in Tokyo?
  turn 1, server weather: get_weather {"location":"Tokyo"} -> Weather in Tokyo: 22°C, sunny
A: Weather in Tokyo: 22°C, sunny

Q: Calculate 123 * 456
  turn 1, server weather: calculate {"expression":"123 * 456"} -> 56088
A: 56088

Q: What's the weather in Paris and what's 50 + 50?
  turn 1, server weather: calculate {"expression":"50 + 50"} -> 100
  turn 1, server weather: get_weather {"location":"Paris"} -> Weather in Paris: 22°C, sunny
A: 100; Weather in Paris: 22°C, sunny

Q: What's the weather in Atlantis?
  turn 1, server weather: get_weather {"location":"Atlantis"} -> error: no location "Atlantis"
A: error: no location "Atlantis"

Q: Name three capitals, please.
A: Name three capitals, please.

`

func overTransport(transport string) func(context.Context, io.Writer) error {
	return func(ctx context.Context, w io.Writer) error { return run(ctx, w, transport) }
}

func TestTheSameRequestsHaveTheSameResultsHoweverTheServerIsReached(t *testing.T) {
	for _, transport := range []string{"in-process", "stdio", "http"} {
		t.Run(transport, func(t *testing.T) {
			exampletest.WithoutKey(t)
			require.Equal(t, want, exampletest.Output(t, overTransport(transport)))
		})
	}
}

func TestTheExampleRunsUnchangedWithAProviderThatWantsAKey(t *testing.T) {
	server := exampletest.WithProvider(t, nil)
	require.Equal(t, want, exampletest.Output(t, overTransport("in-process")))
	require.Equal(t, 9, server.Stats().Requests, "conversations with tools take two turns")
}

func TestAnUnknownTransportIsNamed(t *testing.T) {
	require.EqualError(t, overTransport("pigeon")(t.Context(), io.Discard),
		"-transport pigeon: want in-process, stdio or http")
}
