package source_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/source/sourcetest"
	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestJSONLConforms(t *testing.T) {
	sourcetest.Run(t, func(t *testing.T, requests []batch.Request) batch.Source {
		t.Helper()
		return source.JSONL(bytes.NewReader(linesOf(t, requests)))
	})
}

func TestOpenJSONLConforms(t *testing.T) {
	sourcetest.Run(t, func(t *testing.T, requests []batch.Request) batch.Source {
		t.Helper()
		src, err := source.OpenJSONL(writeFile(t, string(linesOf(t, requests))))
		require.NoError(t, err)
		return src
	})
}

func TestJSONLToleratesHowPeopleWriteFiles(t *testing.T) {
	src := source.JSONL(strings.NewReader("\uFEFF{\"user_message\":\"a\"}\r\n\r\n  \n\t{\"id\":\"b\",\"user_message\":\"b\"} \n" +
		`{"user_message":"c"}`))
	for _, want := range []struct{ origin, id, message string }{
		{"line 1", "line-1", "a"}, {"line 4", "b", "b"}, {"line 5", "line-5", "c"},
	} {
		item := next(t, src)
		require.Nil(t, item.Result)
		require.Equal(t, want.origin, item.Origin)
		require.Equal(t, want.id, item.Request.ID)
		require.Equal(t, want.message, item.Request.UserMessage)
	}
	_, err := src.Next(t.Context())
	require.Equal(t, io.EOF, err)
}

func TestALineThatIsNoRequestFailsAloneAndSaysWhere(t *testing.T) {
	for name, c := range map[string]struct{ line, want string }{
		"wrong type":         {`{"id":"x","timeout":"soon"}`, `line 2: field "timeout": want a number of seconds, got "soon"`},
		"malformed":          {`{"id":"ü", oops}`, "line 2, column 12: invalid character 'o'"},
		"ends early":         {`{"user_message":"a`, "line 2, column 18: unexpected end of JSON input"},
		"two values":         {`{"user_message":"a"} {}`, "line 2, column 22: invalid character '{' after top-level value"},
		"array":              {`[1]`, "line 2: want a JSON object, got [1]"},
		"null":               {`null`, "line 2: want a JSON object, got null"},
		"text":               {`"a"`, `line 2: want a JSON object, got "a"`},
		"not UTF-8":          {"{\"user_message\":\"\u00fc\xff\"}", "line 2, column 19: not valid UTF-8"},
		"byte order mark":    {"\uFEFF{}", "line 2, column 1: invalid character"},
		"nested too deep":    {strings.Repeat(`{"metadata":`, 20000) + "1" + strings.Repeat("}", 20000), "line 2, column "},
		"too long":           {`{"user_message":"` + strings.Repeat("a", 1<<20) + `"}`, "line 2: longer than the allowed 500000 bytes"},
		"number too large":   {`{"max_tool_iterations":1e400}`, `line 2: field "max_tool_iterations": want a whole number, got 1e400`},
		"messages no list":   {`{"messages":{"role":"user"}}`, `line 2: field "messages": want a list of messages`},
		"metadata no object": {`{"metadata":[1]}`, `line 2: field "metadata": want an object, got [1]`},
	} {
		t.Run(name, func(t *testing.T) {
			src := source.JSONL(strings.NewReader("{}\n" + c.line + "\n{}\n"))
			src.MaxLineBytes = 500000
			next(t, src)
			item := next(t, src)
			require.NotNil(t, item.Result)
			require.Nil(t, item.Request)
			require.True(t, item.Settled())
			require.Equal(t, "line 2", item.Origin)
			require.Equal(t, "line-2", item.Result.ID)
			require.False(t, item.Result.Success)
			require.Equal(t, batch.ErrInvalidRequest, item.Result.ErrorType)
			require.ErrorIs(t, item.Result.Err, batch.ErrInvalidRequest)
			require.Contains(t, item.Result.Error, c.want)
			require.Less(t, len(item.Result.Error), 300)
			if name != "too long" {
				require.Equal(t, batch.FingerprintRecord([]byte(c.line)), item.Result.Fingerprint)
			}
			require.NotEmpty(t, item.Result.Fingerprint)
			require.Equal(t, "line-3", next(t, src).Request.ID, "the run goes on")
		})
	}
}

func TestMaxLineBytesDoesNotCountTheLinesEnd(t *testing.T) {
	const limit = 300_000 // beyond the read buffer
	for _, end := range []string{"\n", "\r\n", ""} {
		for _, excess := range []int{0, 1, 2, 3, 4, 5, 6, 7} {
			line := `{"user_message":"` + strings.Repeat("a", limit-19+excess) + `"}` + end
			src := source.JSONL(strings.NewReader(line))
			src.MaxLineBytes = limit
			item := next(t, src)
			require.Equal(t, excess > 0, item.Result != nil, "%d bytes too many, end %q", excess, end)
			_, err := src.Next(t.Context())
			require.Equal(t, io.EOF, err)
		}
	}
}

func TestMaxLineBytesHasADefaultAndCanBeSwitchedOff(t *testing.T) {
	line := `{"user_message":"` + strings.Repeat("a", 20<<20) + `"}` + "\n"
	src := source.JSONL(strings.NewReader(line))
	require.Contains(t, next(t, src).Result.Error, "line 1: longer than the allowed 16777216 bytes")

	src = source.JSONL(strings.NewReader(line))
	src.MaxLineBytes = -1
	require.Len(t, next(t, src).Request.UserMessage, 20<<20)
}

func TestALineWithoutAnEndIsSkippedInLittleMemory(t *testing.T) {
	src := source.JSONL(io.MultiReader(io.LimitReader(endless('a'), 64<<20), strings.NewReader("\n{}\n")))
	src.MaxLineBytes = 1 << 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	require.NotNil(t, next(t, src).Result)
	require.Equal(t, "line-2", next(t, src).Request.ID)
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(16<<20))
}

func TestAnErrorOfTheReaderEndsTheRunAndATornLineIsNoRequest(t *testing.T) {
	broken := errors.New("connection reset")
	src := source.JSONL(io.MultiReader(strings.NewReader("{}\n{}"), iotest.ErrReader(broken)))
	next(t, src)
	for range 2 {
		_, err := src.Next(t.Context())
		require.ErrorIs(t, err, broken)
		require.EqualError(t, err, "reading line 2: connection reset")
	}
}

func TestErrorsOfAFileNameItOnce(t *testing.T) {
	_, err := source.OpenJSONL("no/such.jsonl")
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "no/such.jsonl")

	dir := t.TempDir()
	src, err := source.OpenJSONL(dir)
	require.NoError(t, err)
	defer func() { _ = src.Close() }()
	_, err = src.Next(t.Context())
	require.ErrorContains(t, err, "reading "+dir+": line 1: ")
	require.Equal(t, 1, strings.Count(err.Error(), dir))
}

func TestCloseFreesANextThatWaitsForAPipe(t *testing.T) {
	read, write, err := os.Pipe()
	require.NoError(t, err)
	defer func() { _ = write.Close() }()
	src, err := source.OpenJSONL(fmt.Sprintf("/dev/fd/%d", read.Fd()))
	if err != nil {
		t.Skip("no /dev/fd here")
	}
	require.NoError(t, read.Close())
	_, err = write.WriteString("{}\n")
	require.NoError(t, err)
	next(t, src)
	ended := make(chan error)
	go func() {
		_, err := src.Next(t.Context())
		ended <- err
	}()
	require.NoError(t, src.Close())
	require.Error(t, <-ended)
}

func TestRequestsKeepNothingOfTheReadersMemory(t *testing.T) {
	line := `{"id":"%[1]s","user_message":"%[1]s","messages":[{"role":"user","content":"%[1]s","x":"%[1]s",` +
		`"tool_calls":[{"id":"%[1]s","function":{"name":"%[1]s","arguments":"%[1]s"},"y":"%[1]s"}]}],` +
		`"tools":["%[1]s",{"type":"function","function":{"name":"%[1]s","parameters":{"a":"%[1]s"}}},{"type":"%[1]s"},` +
		`{"name":"%[1]s","parameters":{"a":"%[1]s"}}],` +
		`"response_format":{"a":"%[1]s"},"params":{"a":"%[1]s"},"metadata":{"a":"%[1]s","n":1},"extra":{"a":"%[1]s"}}` + "\n"
	var input strings.Builder
	for i := range 2000 { // several read buffers
		fmt.Fprintf(&input, line, fmt.Sprintf("value-%04d", i))
	}
	src := source.JSONL(strings.NewReader(input.String()))
	var got []*batch.Request
	for range 2000 {
		got = append(got, next(t, src).Request)
	}
	for i, request := range got {
		var want batch.Request
		require.NoError(t, json.Unmarshal(fmt.Appendf(nil, line, fmt.Sprintf("value-%04d", i)), &want))
		require.Equal(t, want, *request)
	}
}

func BenchmarkJSONL(b *testing.B) {
	line := []byte(`{"id":"request-123456","user_message":"` + strings.Repeat("What is the capital of France? ", 10) +
		`","metadata":{"category":"geography","row":123456}}` + "\n")
	src := source.JSONL(&repeated{line: line})
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		item, err := src.Next(b.Context())
		if err != nil || item.Result != nil {
			b.Fatal(item, err)
		}
	}
}

// repeated reads the same line for ever.
type repeated struct {
	line []byte
	at   int
}

func (r *repeated) Read(p []byte) (int, error) {
	n := copy(p, r.line[r.at:])
	r.at = (r.at + n) % len(r.line)
	return n, nil
}

type endless byte

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(e)
	}
	return len(p), nil
}

func linesOf(tb testing.TB, requests []batch.Request) []byte {
	tb.Helper()
	var lines []byte
	for _, r := range requests {
		data, err := r.MarshalJSON()
		require.NoError(tb, err)
		lines = append(append(lines, data...), '\n')
	}
	return lines
}

func writeFile(tb testing.TB, content string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "requests.jsonl")
	require.NoError(tb, os.WriteFile(path, []byte(content), 0o600))
	return path
}
