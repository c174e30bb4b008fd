package tool_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/tool"
)

// runLimited runs one call of a tool with an answer, of which at most limit bytes are wanted.
func runLimited(t *testing.T, limit int64, do func(context.Context) (string, error)) batch.ToolExecution {
	t.Helper()
	executions := tool.Run(t.Context(), []batch.Tool{answering("one", do)}, []batch.ToolCall{callOf("one")},
		tool.RunOptions{MaxResult: limit})
	return executions[0]
}

func TestALongAnswerIsCutBetweenTwoCharactersAndSaysSo(t *testing.T) {
	for _, test := range []struct {
		text  string
		limit int64
		want  string
		size  int64
	}{
		{"hello", 5, "hello", 0},
		{"hello", 0, "hello", 0},
		{"hello", -1, "hello", 0},
		{"hello!", 5, "hello\n[cut: the first 5 of 6 bytes]", 6},
		{"añb", 2, "a\n[cut: the first 1 of 4 bytes]", 4},
		{"日本", 5, "日\n[cut: the first 3 of 6 bytes]", 6},
		{"日本", 1, "\n[cut: the first 0 of 6 bytes]", 6},
		{"a\xff\xffb", 3, "a\uFFFD\n[cut: the first 3 of 4 bytes]", 4},
		{"\x80\x80\x80\x80\x80\x80", 5, "\uFFFD\n[cut: the first 5 of 6 bytes]", 6},
	} {
		e := runLimited(t, test.limit, func(context.Context) (string, error) { return test.text, nil })
		require.Equal(t, test.want, e.Result, "%q", test.text)
		require.Equal(t, test.size, e.ResultBytes, "%q", test.text)
		require.False(t, e.Error)
	}
}

func TestWhatAToolCutItselfIsNoFailure(t *testing.T) {
	for _, test := range []struct {
		size, limit int64
		want        string
		bytes       int64
	}{
		{100, 0, "日本\n[cut: the first 6 of 100 bytes]", 100},
		{100, 6, "日本\n[cut: the first 6 of 100 bytes]", 100},
		{100, 5, "日\n[cut: the first 3 of 100 bytes]", 100},
		{0, 0, "日本\n[cut: the first 6 bytes]", 8},
		{0, 5, "日\n[cut: the first 3 bytes]", 8},
	} {
		e := runLimited(t, test.limit, func(context.Context) (string, error) {
			return "日本語"[:8], fmt.Errorf("reading: %w", &tool.CutError{Size: test.size})
		})
		require.Equal(t, test.want, e.Result)
		require.Equal(t, test.bytes, e.ResultBytes)
		require.False(t, e.Error)
	}
}

func TestWhatATypedFunctionCutItselfIsItsAnswer(t *testing.T) {
	e := runOne(t, tool.New("typed", "", func(context.Context, struct{}) ([]int, error) {
		return []int{1, 2}, &tool.CutError{Size: 50}
	}), "")
	require.Equal(t, "[1,2]\n[cut: the first 5 of 50 bytes]", e.Result)
	require.EqualValues(t, 50, e.ResultBytes)
}

func TestTheTextOfAnErrorIsBoundedToo(t *testing.T) {
	const limit = 1000
	long := strings.Repeat("x", 1<<20)
	for name, do := range map[string]func(context.Context) (string, error){
		"an error": func(context.Context) (string, error) { return "", errors.New(long) },
		"a panic":  func(context.Context) (string, error) { panic(long) },
	} {
		t.Run(name, func(t *testing.T) {
			e := runLimited(t, limit, do)
			require.True(t, e.Error)
			require.True(t, strings.HasPrefix(e.Result, "error: "))
			require.Less(t, len(e.Result), limit+100)
			require.GreaterOrEqual(t, e.ResultBytes, int64(len(long)))
		})
	}
	executions := tool.Run(t.Context(), nil, []batch.ToolCall{callOf(long)}, tool.RunOptions{MaxResult: limit})
	require.Less(t, len(executions[0].Result), limit+100)
}

func TestArgumentsStayWholeWhateverTheBound(t *testing.T) {
	written := `{"text": "` + strings.Repeat("x", 1000) + `"}`
	echo := batch.Tool{Name: "echo", Call: func(_ context.Context, a json.RawMessage) (string, error) { return string(a), nil }}
	executions := tool.Run(t.Context(), []batch.Tool{echo}, []batch.ToolCall{{Name: "echo", Arguments: written}},
		tool.RunOptions{MaxResult: 10})
	require.Equal(t, written, string(executions[0].Arguments))
	require.EqualValues(t, len(written), executions[0].ResultBytes)
}

func TestAToolThatReturnsHundredMebibytesLeavesTheHeapSmall(t *testing.T) {
	large := func(context.Context) (string, error) { return strings.Repeat("\xffx", 50<<20), nil }
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var kept []batch.ToolExecution
	for range 10 {
		kept = append(kept, runLimited(t, 1<<10, large))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	require.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(20<<20))
	for _, e := range kept {
		require.EqualValues(t, 100<<20, e.ResultBytes)
		require.True(t, utf8.ValidString(e.Result))
		require.Less(t, len(e.Result), 3<<10)
	}
}
