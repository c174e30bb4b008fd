package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSizesAreBytesWithAUnitOrWithout(t *testing.T) {
	for text, want := range map[string]int64{
		"67108864": 64 << 20, "64MiB": 64 << 20, "64mib": 64 << 20, "64M": 64 << 20, "64 MiB": 64 << 20, "64MB": 64e6,
		"1.5GiB": 3 << 29, "2KB": 2000, "2k": 2048, "1GB": 1e9, "1": 1, "10B": 10,
	} {
		var n int64
		require.NoError(t, sizeValue{&n}.Set(text), text)
		require.Equal(t, want, n, text)
	}
	for _, text := range []string{"", "MiB", "0", "-1", "0.5", "many", "64 apples", "inf", "NaN", "1e300", "9999999GiB"} {
		n := int64(7)
		require.ErrorContains(t, sizeValue{&n}.Set(text), "want a size", text)
		require.EqualValues(t, 7, n)
	}
	for n, want := range map[int64]string{16 << 20: "16MiB", 3 << 29: "1536MiB", 1000: "1000", 2048: "2KiB"} {
		require.Equal(t, want, sizeValue{&n}.String())
	}
}

func TestAnAnswerLargerThanItMayBeIsAFailedCall(t *testing.T) {
	inTempDir(t, map[string]string{"gluepipe.yaml": "max_response_bytes: 1KB\n"})
	large := `{"id": "a", "user_message": "` + strings.Repeat("x", 2000) + `"}`
	got := gluepipe(t, large, nil, "run", "-", "--model", "mock:echo")
	require.Equal(t, exitFailures, got.code)
	require.Contains(t, got.stdout, "the answer is larger than 1000 bytes")
	require.Equal(t, exitOK, gluepipe(t, large, nil, "run", "-", "--model", "mock:echo", "--max-response-bytes", "1MiB").code)
}
