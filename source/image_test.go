package source_test

import (
	"encoding/base64"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/stages/batch"
)

const png = "\x89PNG\r\n\x1a\n rest of the image"

// imageFile writes a file and returns its path.
func imageFile(t *testing.T, name, data string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(data), 0o600))
	return path
}

// showing returns a source whose one row has a cell for images.
func showing(t *testing.T, cell any) batch.Source {
	t.Helper()
	return mustRows(t, texts("id,image", []any{"a", cell}),
		source.RowOptions{Prompt: "Look at <{{.id}}>", SystemPrompt: "s", ImageColumn: "image", MaxImageBytes: 100})
}

func TestAnImageGoesWithThePrompt(t *testing.T) {
	dataURL := func(kind, data string) string {
		return "data:image/" + kind + ";base64," + base64.StdEncoding.EncodeToString([]byte(data))
	}
	pngFile := imageFile(t, "image of a \"cat\".txt", png)
	for name, c := range map[string]struct {
		cell any
		want []string
	}{
		"URL":             {"https://example.com/a b?c=\"<d>\"&e", []string{"https://example.com/a b?c=\"<d>\"&e"}},
		"URL in capitals": {"HTTP://example.com/a.png", []string{"HTTP://example.com/a.png"}},
		"data URL":        {dataURL("png", png), []string{dataURL("png", png)}},
		"PNG":             {pngFile, []string{dataURL("png", png)}},
		"JPEG":            {imageFile(t, "a", "\xff\xd8\xff..."), []string{dataURL("jpeg", "\xff\xd8\xff...")}},
		"GIF":             {imageFile(t, "a", "GIF89a..."), []string{dataURL("gif", "GIF89a...")}},
		"WebP":            {imageFile(t, "a", "RIFF....WEBPVP8 "), []string{dataURL("webp", "RIFF....WEBPVP8 ")}},
		"bytes":           {[]byte(png), []string{dataURL("png", png)}},
		"list in a text":  {`["https://a", "", "http://b"]`, []string{"https://a", "http://b"}},
		"list":            {json.RawMessage(`["https://a","https://b"]`), []string{"https://a", "https://b"}},
		"text in JSON":    {json.RawMessage(`"https://a"`), []string{"https://a"}},
	} {
		t.Run(name, func(t *testing.T) {
			request := next(t, showing(t, c.cell)).Request
			require.NotNil(t, request)
			require.Equal(t, "s", request.SystemPrompt)
			require.Empty(t, request.UserMessage)
			require.Len(t, request.Messages, 1)
			require.Equal(t, "user", request.Messages[0].Role)
			want := []any{map[string]any{"type": "text", "text": "Look at <a>"}}
			for _, url := range c.want {
				want = append(want, map[string]any{"type": "image_url", "image_url": map[string]any{"url": url}})
			}
			var content []any
			require.NoError(t, json.Unmarshal(request.Messages[0].Content, &content))
			require.Equal(t, want, content)
		})
	}
}

func TestARowWithoutAnImageIsAskedInText(t *testing.T) {
	for _, cell := range []any{nil, "", "  ", []byte{}, json.RawMessage("null"), json.RawMessage("[]"), "[]", `[""]`} {
		require.Equal(t, "Look at <a>", asked(t, showing(t, cell)), "%v", cell)
	}
}

func TestAnImageThatCannotBeSentFailsItsRow(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	defer listener.Close()
	secret := imageFile(t, "passwd.png", "root:x:0:0:root:/root:/bin/sh\n")
	large := imageFile(t, "large.png", png+strings.Repeat("x", 100))
	half := imageFile(t, "half.png", png+strings.Repeat("x", 40))
	for name, c := range map[string]struct {
		cell any
		want string
	}{
		"no file":        {"nowhere.png", `image "nowhere.png": no such file or directory`},
		"no image":       {secret, `passwd.png": want a PNG, JPEG, GIF or WebP image, got text/plain`},
		"SVG":            {imageFile(t, "a.svg", "<svg></svg>"), `a.svg": want a PNG, JPEG, GIF or WebP image, got `},
		"PDF":            {imageFile(t, "a.png", "%PDF-1.4"), `a.png": want a PNG, JPEG, GIF or WebP image, got application/pdf`},
		"BMP":            {imageFile(t, "a.png", "BM"), `a.png": want a PNG, JPEG, GIF or WebP image, got image/bmp`},
		"empty file":     {imageFile(t, "a.png", ""), `a.png": want a PNG, JPEG, GIF or WebP image, got `},
		"no image bytes": {[]byte("hello"), `image: want a PNG, JPEG, GIF or WebP image, got text/plain`},
		"too large":      {large, `large.png": the row's images are larger than the allowed 100 bytes`},
		"too many bytes": {[]byte(png + strings.Repeat("x", 100)), `image: the row's images are larger than the allowed 100 bytes`},
		"too large together": {
			json.RawMessage(`["` + half + `","` + half + `"]`), `half.png": the row's images are larger than the allowed 100 bytes`,
		},
		"folder":       {t.TempDir(), `": not a file`},
		"socket":       {socket, `": not a file`},
		"device":       {"/dev/zero", `image "/dev/zero": not a file`},
		"other scheme": {"s3://bucket/a.png", `image "s3://bucket/a.png": want an http, https or data URL, or the path of a file`},
		"number":       {int64(5), `image: want a URL, a path or a list of them, got 5`},
		"object":       {json.RawMessage(`{"url":"a"}`), `image: want a URL, a path or a list of them, got {"url":"a"}`},
		"NUL":          {"a\x00b", `image "a\x00b": `},
		"long":         {strings.Repeat("x", 100000), `xxx...": `},
	} {
		t.Run(name, func(t *testing.T) {
			src := showing(t, c.cell)
			item := next(t, src)
			require.NotNil(t, item.Result)
			require.True(t, strings.HasPrefix(item.Result.Error, "line 1: image"), item.Result.Error)
			require.Contains(t, item.Result.Error, c.want)
			require.Less(t, len(item.Result.Error), 400)
			require.NotContains(t, item.Result.Error, "root")
			require.Equal(t, "line-1", item.Result.ID)
		})
	}
}

func TestMaxImageBytesHasADefaultAndCanBeSwitchedOff(t *testing.T) {
	path := imageFile(t, "a.png", png+strings.Repeat("x", 20<<20))
	for limit, good := range map[int64]bool{0: false, -1: true} {
		src := mustRows(t, texts("image", []any{path}), source.RowOptions{Prompt: "a", ImageColumn: "image", MaxImageBytes: limit})
		require.Equal(t, good, next(t, src).Result == nil)
	}
}

func TestAFileThatIsTooLargeIsNotReadWhole(t *testing.T) {
	path := imageFile(t, "huge.png", png)
	require.NoError(t, os.Truncate(path, 1<<30)) // a hole, which takes no space
	src := showing(t, path)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	require.Contains(t, failure(t, src), "larger than the allowed 100 bytes")
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
}
