package sink_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// FuzzCompressedFilesKeepTheirRecords says what holds of a file with any content that a run is told to continue compressed:
// it is refused and stays as it is, or the records that can be read in it stay, and new ones come behind them.
func FuzzCompressedFilesKeepTheirRecords(f *testing.F) {
	for _, text := range recordsOnDisk {
		f.Add([]byte(text))
		for _, extension := range extensions {
			data := compress(f, extension, text)
			for _, cut := range []int{0, 1, 8, len(data) / 2} {
				f.Add([]byte(data[:len(data)-min(cut, len(data))]))
			}
			f.Add([]byte(data + strings.Repeat("\x00", 20)))
			f.Add([]byte(compress(f, extension, string(linesOf(f, success("a", 0)))) + data))
		}
	}
	dir := f.TempDir()
	added := string(linesOf(f, success("last", 9)))
	f.Fuzz(func(t *testing.T, content []byte) {
		for _, extension := range extensions {
			path := filepath.Join(dir, "results"+extension)
			require.NoError(t, os.WriteFile(path, content, 0o600))
			records, readErr := sink.ReadRecords(path)
			require.Equal(t, string(content), readFile(t, path), "reading changes nothing")
			file, err := sink.OpenJSONL(path, sink.FileOptions{Sync: sink.SyncNever})
			require.Equal(t, readErr == nil, err == nil, "%v, and yet %v", readErr, err)
			if err != nil {
				require.ErrorContains(t, err, path)
				require.Equal(t, string(content), readFile(t, path), "a file that is refused is left as it is")
				requireNothingBeside(t, path)
				require.NoError(t, os.Remove(path))
				continue
			}
			require.Equal(t, records.Earlier(), file.Earlier())
			require.NoError(t, file.Write(t.Context(), []*batch.Result{success("last", 9)}))
			require.NoError(t, file.Close(t.Context()))
			text := readFile(t, path)
			if strings.HasPrefix(text, "\x1f\x8b") || strings.HasPrefix(text, "\x28\xb5\x2f\xfd") {
				text = decompress(t, path)
			}
			require.True(t, strings.HasSuffix(text, added))
			again, err := sink.OpenJSONL(path, sink.FileOptions{Sync: sink.SyncNever, RerunFailed: true})
			require.NoError(t, err)
			require.NoError(t, again.Close(t.Context()))
			require.Equal(t, records.Earlier().SuccessfulRequests+1, again.Earlier().TotalRequests)
			requireNothingBeside(t, path)
			require.NoError(t, os.Remove(path))
		}
	})
}
