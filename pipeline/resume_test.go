package pipeline

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/source"
)

func TestARunIsContinuedByTheRequestsIDsWhateverTheirPlace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.jsonl")
	m := &model{fail: failing("message 3", errBad)}
	p := newProcessor(t, &Config{Completer: m})
	all := requests(10)
	for i, given := range [][]int{{0, 1, 2, 3}, {9, 3, 8, 2, 7, 1, 6, 0, 5, 4}} {
		rs := slices.Clone(all[:0])
		for _, k := range given {
			rs = append(rs, all[k])
		}
		out, err := sink.OpenJSONL(path, sink.FileOptions{})
		require.NoError(t, err)
		summary, err := p.Run(t.Context(), source.Slice(rs), out)
		require.NoError(t, err)
		require.Equal(t, len(given), summary.TotalRequests, "run %d", i)
		require.Equal(t, len(given)-summary.FailedRequests, summary.SuccessfulRequests)
	}
	for _, r := range all {
		require.Equal(t, 1, m.triesOf(r.UserMessage), "%s was asked again", r.ID)
	}
}
