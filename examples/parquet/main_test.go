package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/examples/internal/exampletest"
)

func TestEveryRowHasALabelOfTheSchemasTypes(t *testing.T) {
	exampletest.WithoutKey(t)
	lines := strings.Split(strings.TrimSpace(exampletest.Output(t, run)), "\n")
	require.Equal(t, "4 of 4 rows have a label in labels.parquet", lines[0])
	require.Len(t, lines, 5)
	for i, line := range lines[1:] {
		require.Regexp(t, `^[1-4]: (positive|negative|neutral) [\d.]+ \(urgent: (true|false)\)$`, line)
		require.Equal(t, byte('1'+i), line[0])
	}
}

func TestWhatHasALabelIsNotAskedAgain(t *testing.T) {
	server := exampletest.WithProvider(t, nil)
	path := filepath.Join(t.TempDir(), "labels.parquet")
	var first, second bytes.Buffer
	require.NoError(t, labelReviews(t.Context(), &first, path))
	require.NoError(t, labelReviews(t.Context(), &second, path))
	require.Equal(t, first.String(), second.String())
	require.Equal(t, 4, server.Stats().Requests)
}
