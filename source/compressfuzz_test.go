package source_test

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/source"
)

// FuzzDecompress says that any bytes are a text or an error, the same however they come, and that what is compressed comes
// back.
func FuzzDecompress(f *testing.F) {
	for _, text := range []string{"", "{}\n", "\x1f\x8b", "\x28\xb5\x2f\xfd", "\x50\x2a\x4d\x18\xff\xff\xff\xff", strings.Repeat("a", 1000)} {
		f.Add([]byte(text))
		f.Add([]byte(gzipped(f, text)))
		f.Add([]byte(zstandard(f, text)))
		f.Add([]byte(gzipped(f, text) + zstandard(f, text)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		const limit = 1 << 20 // a few bytes may be terabytes of zeros
		once, err := io.ReadAll(io.LimitReader(source.Decompress(bytes.NewReader(data)), limit))
		slow, slowErr := io.ReadAll(io.LimitReader(source.Decompress(iotest.OneByteReader(bytes.NewReader(data))), limit))
		require.Equal(t, err == nil, slowErr == nil)
		if err == nil {
			require.Equal(t, once, slow)
		}
		for _, compressed := range compressors {
			back, err := decompress(compressed(t, string(data)))
			require.NoError(t, err)
			require.Equal(t, string(data), back)
		}
	})
}

func BenchmarkDecompress(b *testing.B) {
	text := strings.Repeat(`{"id":"request-123456","user_message":"What is the capital of France?","metadata":{"row":1}}`+"\n", 1<<16)
	for name, compressed := range compressors {
		data := compressed(b, text)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, err := io.Copy(io.Discard, source.Decompress(strings.NewReader(data))); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
