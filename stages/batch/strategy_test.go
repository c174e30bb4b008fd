package batch_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestStrategiesAreTheirNames(t *testing.T) {
	for strategy, name := range map[batch.ErrorStrategy]string{
		batch.Continue: "continue", batch.FailFast: "fail_fast", batch.Skip: "skip",
	} {
		require.Equal(t, name, strategy.String())
		data, err := json.Marshal(strategy)
		require.NoError(t, err)
		require.Equal(t, `"`+name+`"`, string(data))
		var again batch.ErrorStrategy
		require.NoError(t, json.Unmarshal(data, &again))
		require.Equal(t, strategy, again)
	}
	var zero batch.ErrorStrategy
	require.Equal(t, batch.Continue, zero)
}

func TestUnknownStrategiesAreRefused(t *testing.T) {
	for _, text := range []string{"", "Continue", "stop", "fail-fast"} {
		strategy := batch.Skip
		require.EqualError(t, strategy.UnmarshalText([]byte(text)),
			`unknown error strategy "`+text+`": want continue, fail_fast or skip`)
		require.Equal(t, batch.Skip, strategy)
	}
	for _, strategy := range []batch.ErrorStrategy{-1, 3} {
		_, err := strategy.MarshalText()
		require.ErrorContains(t, err, "unknown error strategy")
	}
	require.Equal(t, "ErrorStrategy(3)", batch.ErrorStrategy(3).String())
	require.Equal(t, "ErrorStrategy(-1)", batch.ErrorStrategy(-1).String())
}
