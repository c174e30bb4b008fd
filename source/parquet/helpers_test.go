package parquet_test

import (
	"bytes"
	"io"
	"path/filepath"
	"strings"
	"testing"

	pq "github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/source/parquet"
)

func open(t *testing.T, name string) *parquet.Reader {
	t.Helper()
	r, err := parquet.Open(filepath.Join("testdata", name+".parquet"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

// written reads rows that the library writes.
func written[T any](t *testing.T, rows []T) *parquet.Reader {
	t.Helper()
	var file bytes.Buffer
	w := pq.NewGenericWriter[T](&file)
	_, err := w.Write(rows)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	r, err := parquet.New(bytes.NewReader(file.Bytes()), int64(file.Len()))
	require.NoError(t, err)
	return r
}

func readAll(t *testing.T, r *parquet.Reader) (rows []source.TableRow, err error) {
	t.Helper()
	for {
		row, err := r.Next(t.Context())
		if err == io.EOF {
			return rows, nil
		}
		if err != nil {
			return rows, err
		}
		rows = append(rows, row)
	}
}

func lines(t *testing.T, rows []source.TableRow) string {
	t.Helper()
	var b strings.Builder
	for _, row := range rows {
		line, err := row.MarshalJSON()
		require.NoError(t, err)
		b.Write(line)
		b.WriteByte('\n')
	}
	return b.String()
}

func requireRowError(t *testing.T, err error) *source.RowError {
	t.Helper()
	var bad *source.RowError
	require.ErrorAs(t, err, &bad)
	return bad
}
