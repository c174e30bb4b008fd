package pipeline

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestADrainSignalInTheContextEndsThisRunOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProcessor(t, &Config{Completer: &model{takes: time.Minute}, MaxConcurrent: 2})
		drain := make(chan struct{})
		time.AfterFunc(90*time.Second, func() { close(drain) })
		response, err := p.Process(batch.WithDrain(t.Context(), drain), requests(20))
		require.NoError(t, err)
		require.Equal(t, 4, response.SuccessfulRequests)
		require.Equal(t, response.TotalRequests-4, response.UnfinishedRequests)

		response, err = p.Process(batch.WithDrain(t.Context(), drain), requests(20))
		require.NoError(t, err)
		require.Zero(t, response.TotalRequests, "it was over before it began")

		response, err = p.Process(t.Context(), requests(20))
		require.NoError(t, err)
		require.Equal(t, 20, response.SuccessfulRequests)
	})
}

func TestADrainedEngineTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var e Engine
		e.Drain()
		e.Drain()
		summary, err := e.Run(t.Context(), source.Slice(requests(20)), nowhere{}, settle(1, instantly))
		require.NoError(t, err)
		require.Zero(t, summary.TotalRequests)
	})
}

func TestADrainBeginsWithItsParentAndIsForgottenAtItsEnd(t *testing.T) {
	parent := newDrain()
	first, second := parent.child(), parent.child()
	grandchild := second.child()
	first.begin()
	requireBegun(t, first, true)
	requireBegun(t, second, false)
	first.end()
	require.Len(t, parent.children, 1)
	parent.begin()
	for _, d := range []*drain{parent, second, grandchild, parent.child()} {
		requireBegun(t, d, true)
	}
	grandchild.end()
	second.end()
	parent.end()
}

func requireBegun(t *testing.T, d *drain, want bool) {
	t.Helper()
	select {
	case <-d.begun:
		require.True(t, want)
	default:
		require.False(t, want)
	}
}

func TestAProcessorForgetsTheDrainsOfItsRuns(t *testing.T) {
	p := newProcessor(t, &Config{Completer: &model{}})
	_, err := p.Process(t.Context(), requests(3))
	require.NoError(t, err)
	_, err = p.Check(t.Context(), source.Slice(requests(3)), nil, nil)
	require.NoError(t, err)
	require.Empty(t, p.drain.children)
}
