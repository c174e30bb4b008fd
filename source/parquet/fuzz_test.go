package parquet_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/source/parquet"
)

// FuzzRead reads hostile files. They may hold whatever they like, but neither panic nor take much memory.
func FuzzRead(f *testing.F) {
	files, err := filepath.Glob("testdata/*.parquet")
	require.NoError(f, err)
	require.NotEmpty(f, files)
	for _, path := range files {
		data, err := os.ReadFile(path)
		require.NoError(f, err)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) { readDamaged(t, data) })
}

func TestAFileWithAByteWrongIsReadOrRefused(t *testing.T) {
	for name, step := range map[string]int{"duckdb_snappy": 3, "duckdb_v2_zstd": 3, "pyarrow_delta": 11} {
		whole, err := os.ReadFile("testdata/" + name + ".parquet")
		require.NoError(t, err)
		for i := 0; i < len(whole); i += step {
			whole[i] ^= 0xff
			readDamaged(t, whole)
			whole[i] ^= 0xff
		}
	}
}

// readDamaged reads up to a thousand rows.
func readDamaged(t *testing.T, data []byte) {
	t.Helper()
	r, err := parquet.New(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		require.ErrorContains(t, err, "reading the Parquet file: ")
		return
	}
	defer r.Close()
	columns := r.Columns()
	for n := 1; n <= min(r.Len(), 1000); n++ {
		row, err := r.Next(t.Context())
		if err == io.EOF {
			require.Greater(t, n, r.Len())
		}
		if bad, ok := err.(*source.RowError); ok {
			require.Equal(t, n, bad.Number)
			continue
		}
		if err != nil {
			require.ErrorContains(t, err, "reading the Parquet file: row group ")
			return
		}
		require.Equal(t, n, row.Number)
		require.Equal(t, columns, row.Columns)
		_, err = row.MarshalJSON()
		require.NoError(t, err)
	}
}
