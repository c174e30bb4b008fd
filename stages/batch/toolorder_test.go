package batch_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestAToolOrderIsParallelOrSequential(t *testing.T) {
	for _, order := range []batch.ToolOrder{"", batch.Parallel, batch.Sequential} {
		require.NoError(t, order.Validate())
	}
	require.EqualError(t, batch.ToolOrder("serial").Validate(), `want "parallel" or "sequential", got "serial"`)
}
