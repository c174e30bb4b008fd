package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/llm"
)

func TestAHedgeIsADurationOrAPercentile(t *testing.T) {
	for text, want := range map[string]llm.HedgeConfig{
		"p95": {Percentile: 95}, "P99.9": {Percentile: 99.9}, "10s": {After: 10 * time.Second}, "90": {After: 90 * time.Second},
		"0": {},
	} {
		var c, again llm.HedgeConfig
		require.NoError(t, hedgeValue{&c}.Set(text), text)
		require.Equal(t, want, c, text)
		require.NoError(t, c.Validate(), text)
		if shown := (hedgeValue{&c}).String(); shown != "" {
			require.NoError(t, hedgeValue{&again}.Set(shown))
			require.Equal(t, want, again, text)
		}
	}
	for _, text := range []string{"", "p", "p0", "p100", "pNaN", "p-5", "95%", "-1s", "soon"} {
		var c llm.HedgeConfig
		require.ErrorContains(t, hedgeValue{&c}.Set(text), "want a percentile", text)
		require.Zero(t, c)
	}
}
