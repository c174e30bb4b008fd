//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package sink_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestAFileThatAnotherRunWritesIsRefusedAndLeftAsItIs(t *testing.T) {
	for name, first := range map[string]sink.FileOptions{
		"continued": {}, "replaced": {RerunFailed: true}, "overwritten": {Overwrite: true},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "results.jsonl")
			f := open(t, path, sink.FileOptions{})
			require.NoError(t, f.Write(t.Context(), []*batch.Result{success("a", 0), failure("b", 1)}))
			require.NoError(t, f.Close(t.Context()))

			f = open(t, path, first)
			require.NoError(t, f.Write(t.Context(), []*batch.Result{failure("c", 2)}))
			before, err := os.ReadFile(path)
			require.NoError(t, err)
			for _, second := range []sink.FileOptions{{}, {RerunFailed: true}, {Overwrite: true}} {
				_, err := sink.OpenJSONL(path, second)
				require.EqualError(t, err, path+": another run is writing it: wait for its end, or choose another output")
			}
			after, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, before, after)

			require.NoError(t, f.Close(t.Context()))
			open(t, path, sink.FileOptions{})
		})
	}
}
