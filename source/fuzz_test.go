package source_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/stages/batch"
)

var linesOnDisk = []string{
	"", "\n", "{}", "{}\n{}\n", "\uFEFF{\"user_message\":\"a\"}\r\n\r\n[]", "{\"timeout\":1e999}\n\xff\n", "nul\n", "\r", "{}\r",
	`{"messages":[{"role":"user","content":[{"type":"text","text":"a"}]}],"tools":[{"name":"t"}],"params":{"a":1}}`,
	"\uFEFF", "\uFEFF\uFEFF{}\n", "{}\r\r\n{}", "{}{}\n", "{\"id\":\"\\ud800\"}\n", "{\"id\":\"a\\u0000\"}\n", "\x00\n", "\u2028{}\n",
	"{\"id\":1}\n", "{\"user_message\":\"a\",\"user_message\":\"b\"}", strings.Repeat("[", 60), strings.Repeat(" ", 63) + "\n",
	strings.Repeat(" ", 64) + "\r\n", strings.Repeat(" ", 65) + "\n{}", "{\"user_message\":\"" + strings.Repeat("x", 64) + "\"}\n{}",
	`{"timeout":-1}`, `{"params":{"temperature":1e-400}}`, `{"metadata":{"a":123456789012345678901234567890}}`,
}

// FuzzALineIsAnItem says that each line that isn't blank is one item, with its number, whatever stands in it and however the
// bytes come; and that a line which the reader tore is none.
func FuzzALineIsAnItem(f *testing.F) {
	for i, seed := range linesOnDisk {
		f.Add([]byte(seed), uint16(i))
	}
	f.Fuzz(func(t *testing.T, input []byte, tear uint16) {
		const limit = 64
		src := source.JSONL(bytes.NewReader(input))
		src.MaxLineBytes = limit
		slow := source.JSONL(iotest.OneByteReader(bytes.NewReader(input)))
		slow.MaxLineBytes = limit
		lines := bytes.Split(bytes.TrimPrefix(input, []byte("\uFEFF")), []byte("\n"))
		for i, line := range lines {
			if i < len(lines)-1 {
				line = bytes.TrimSuffix(line, []byte("\r"))
			}
			if len(bytes.TrimSpace(line)) == 0 && len(line) <= limit {
				continue
			}
			item := next(t, src)
			require.Equal(t, fmt.Sprintf("line %d", i+1), item.Origin)
			requireItem(t, item, line)
			requireSame(t, item, next(t, slow))
		}
		for range 2 {
			_, err := src.Next(t.Context())
			require.Equal(t, io.EOF, err)
		}
		requireTorn(t, input, int(tear))
	})
}

// requireItem says that an item is its line's request, or tells why it has none.
func requireItem(t *testing.T, item *batch.Item, line []byte) {
	t.Helper()
	if item.Result == nil {
		require.True(t, utf8.Valid(line))
		var again batch.Request
		require.NoError(t, again.UnmarshalJSON(line))
		if again.ID == "" {
			again.ID = strings.Replace(item.Origin, " ", "-", 1)
		}
		require.Equal(t, &again, item.Request)
		return
	}
	require.Nil(t, item.Request)
	require.Equal(t, strings.Replace(item.Origin, " ", "-", 1), item.Result.ID)
	require.Equal(t, batch.ErrInvalidRequest, item.Result.ErrorType)
	require.NotEmpty(t, item.Result.Fingerprint)
	require.Contains(t, item.Result.Error, item.Origin)
	require.True(t, utf8.ValidString(item.Result.Error))
	require.Less(t, len(item.Result.Error), 1000)
	require.True(t, item.Settled())
}

// requireSame says that it doesn't matter in which pieces the bytes came.
func requireSame(t *testing.T, item, slow *batch.Item) {
	t.Helper()
	require.Equal(t, item.Origin, slow.Origin)
	require.Equal(t, item.Request, slow.Request)
	require.Equal(t, item.Result == nil, slow.Result == nil)
	if item.Result != nil {
		require.Equal(t, item.Result.Error, slow.Result.Error)
		require.Equal(t, item.Result.Fingerprint, slow.Result.Fingerprint)
	}
}

// requireTorn says that a reader that fails breaks the run, and behind whole lines only.
func requireTorn(t *testing.T, input []byte, at int) {
	t.Helper()
	broken := errors.New("broken")
	at %= len(input) + 1
	src := source.JSONL(io.MultiReader(bytes.NewReader(input[:at]), iotest.ErrReader(broken)))
	src.MaxLineBytes = -1
	var last string
	for {
		item, err := src.Next(t.Context())
		if err != nil {
			require.ErrorIs(t, err, broken)
			require.ErrorContains(t, err, fmt.Sprintf("reading line %d", bytes.Count(input[:at], []byte("\n"))+1))
			break
		}
		last = item.Origin
	}
	if last != "" {
		var number int
		_, err := fmt.Sscanf(last, "line %d", &number)
		require.NoError(t, err)
		require.LessOrEqual(t, number, bytes.Count(input[:at], []byte("\n")))
	}
}
