package pipeline

import (
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
)

var errRefused = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}

func TestARunWhoseServerIsDownForAMinuteStopsAndUsesUpNoRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProcessor(t, &Config{Completer: &model{takes: time.Millisecond, fail: always(errRefused)}})
		begin := time.Now()
		response, err := p.Process(t.Context(), requests(1000))
		require.ErrorContains(t, err, "stopped: no connection for 1m0s: ")
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
		require.InDelta(t, time.Minute, time.Since(begin), float64(time.Second))
		require.Less(t, response.TotalRequests, 1000, "intake stops")
		require.Equal(t, response.TotalRequests, response.UnfinishedRequests)
	})
}

func TestARunThatNeverStopsWaitsForNoServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProcessor(t, &Config{Completer: &model{fail: always(errRefused)}, AbortAfter: -1})
		begin := time.Now()
		response, err := p.Process(t.Context(), requests(1000))
		require.NoError(t, err)
		require.Less(t, time.Since(begin), time.Minute)
		for _, r := range response.Results {
			require.Equal(t, batch.ErrAPIConnection, r.ErrorType)
		}
		require.Equal(t, 1000, response.FailedRequests)
	})
}
