package sink_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// BenchmarkCompressed writes results of 1 KB, of words in random order. It reports the time a record and its bytes on the
// disk.
func BenchmarkCompressed(b *testing.B) {
	words := strings.Fields(strings.Repeat("the of and to in is that it was for on are as with his they at be this from have or by one had "+
		"not but what all were when we there can an your which their said if do will each about how up out them", 3))
	random := rand.New(rand.NewPCG(1, 2))
	results := make([]*batch.Result, 1024)
	for i := range results {
		var text strings.Builder
		for text.Len() < 700 {
			fmt.Fprintf(&text, "%s%d ", words[random.IntN(len(words))], random.IntN(100))
		}
		results[i] = typical(int64(i))
		results[i].Response = text.String()
	}
	for _, extension := range append([]string{""}, extensions...) {
		for _, size := range []int{1, 64} {
			b.Run(fmt.Sprintf("jsonl%s/batch=%d", extension, size), func(b *testing.B) {
				path := filepath.Join(b.TempDir(), "results"+extension)
				file, err := sink.OpenJSONL(path, sink.FileOptions{Sync: sink.SyncNever})
				require.NoError(b, err)
				b.ResetTimer()
				for i := 0; i < b.N; i += size { // an operation is a record
					at := i % len(results)
					require.NoError(b, file.Write(b.Context(), results[at:at+size]))
				}
				require.NoError(b, file.Close(b.Context()))
				info, err := os.Stat(path)
				require.NoError(b, err)
				b.ReportMetric(float64(info.Size())/float64(b.N), "bytes/record")
			})
		}
	}
}
