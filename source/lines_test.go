package source

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestLinesAreTheSameWhateverTheBufferAndTheReadsAre(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOf(rapid.StringMatching("[ab\r]{0,50}")).Draw(t, "lines")
		limit := rapid.IntRange(1, 40).Draw(t, "limit")
		input := strings.Join(lines, "\n")
		reader := newLineReader(iotest.HalfReader(strings.NewReader(input)), 16)
		for i, want := range lines {
			line, err := reader.next(limit)
			if i == len(lines)-1 && want == "" {
				require.Equal(t, io.EOF, err)
				return
			}
			if i < len(lines)-1 {
				want = strings.TrimSuffix(want, "\r")
			}
			if len(want) > limit {
				require.Equal(t, errLongLine, err)
				want = want[:limit]
			} else {
				require.NoError(t, err)
			}
			require.Equal(t, want, string(line))
			require.Equal(t, i+1, reader.number)
		}
		_, err := reader.next(limit)
		require.Equal(t, io.EOF, err)
	})
}

func TestALongFirstLineLosesItsByteOrderMarkOnly(t *testing.T) {
	reader := newLineReader(io.MultiReader(bytes.NewReader(bom), strings.NewReader(strings.Repeat("a", 40)+"\r\nb")), 16)
	line, err := reader.next(40)
	require.NoError(t, err)
	require.Len(t, line, 40)
}
