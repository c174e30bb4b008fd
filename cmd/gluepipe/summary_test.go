package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestTheSummaryTellsOneFailureOfEachKind(t *testing.T) {
	m := newMeter()
	for _, r := range []*batch.Result{
		failedResult("a", batch.ErrServer, "503 Service Unavailable:\n\toverloaded"),
		failedResult("b", batch.ErrServer, "500 Internal Server Error"),
		failedResult("c", batch.ErrAPITimeout, strings.Repeat("ü", 300)),
		{ID: "d", Success: true},
	} {
		m.record(r)
	}
	var out bytes.Buffer
	writeSummary(&out, &batch.Summary{
		TotalRequests: 7, SuccessfulRequests: 1, FailedRequests: 6,
		FailedByType: map[batch.ErrorKind]int{batch.ErrServer: 3, batch.ErrAPITimeout: 2, batch.ErrRateLimit: 1},
	}, &batch.Summary{}, m)
	require.Contains(t, out.String(), "  ServerError      3, such as a: 503 Service Unavailable:  overloaded\n")
	require.Contains(t, out.String(), "  APITimeoutError  2, such as c: "+strings.Repeat("ü", 156)+"…\n")
	require.Contains(t, out.String(), "  RateLimitError   1\n", "an earlier run's is only counted")
}

func failedResult(id string, kind batch.ErrorKind, text string) *batch.Result {
	return &batch.Result{ID: id, ErrorType: kind, Error: text}
}
