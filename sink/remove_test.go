package sink_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestAFileThatIsRemovedIsNotPutBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.jsonl")
	f, err := sink.OpenJSONL(path, sink.FileOptions{})
	require.NoError(t, err)
	require.NoError(t, f.Write(t.Context(), []*batch.Result{{ID: "a", Success: true}}))
	require.NoError(t, f.Remove(t.Context()))
	require.NoFileExists(t, path)
	require.NoError(t, f.Close(t.Context()))
}

func TestAFileThatAnotherTookThePlaceOfIsNotRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.jsonl")
	f, err := sink.OpenJSONL(path, sink.FileOptions{})
	require.NoError(t, err)
	require.NoError(t, f.Write(t.Context(), []*batch.Result{{ID: "a", Success: true}}))
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.WriteFile(path, []byte("another"), 0o600))
	require.ErrorContains(t, f.Remove(t.Context()), "another file took its place")
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "another", string(data))
}
