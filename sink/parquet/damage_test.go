package parquet_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/sink/parquet"
)

func TestAParquetFileCutAnywhereIsRefusedAndLeftAsItIs(t *testing.T) {
	whole := madeFile(t)
	for cut := 1; cut < len(whole); cut += 101 {
		path, err := reopen(t, whole[:cut])
		require.ErrorContains(t, err, path+": it is no whole Parquet file: ", "cut at %d", cut)
		require.ErrorContains(t, err, "choose another output, or overwrite this one")
	}
}

func TestAParquetFileWithAByteWrongIsRefusedOrContinued(t *testing.T) {
	whole := madeFile(t)
	refused := 0
	for i := 0; i < len(whole); i += 37 {
		whole[i] ^= 0xff
		if path, err := reopen(t, whole); err != nil {
			require.ErrorContains(t, err, path)
			refused++
		}
		whole[i] ^= 0xff
	}
	require.Positive(t, refused)
}

func madeFile(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "out.parquet")
	run(t, path, "a", "f1", "b")
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return data
}

// reopen opens and closes a file, which must leave it as it was.
func reopen(t *testing.T, data []byte) (path string, err error) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "out.parquet")
	require.NoError(t, os.WriteFile(path, data, 0o600))
	f, err := parquet.Open(path, parquet.Options{Table: newTable(t, sink.TableOptions{})})
	if err == nil {
		require.NoError(t, f.Close(t.Context()))
	}
	left, readErr := os.ReadFile(path)
	require.NoError(t, readErr)
	require.Equal(t, string(data), string(left))
	requireNothingBeside(t, path)
	return path, err
}
