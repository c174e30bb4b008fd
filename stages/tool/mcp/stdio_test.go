package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	ossignal "os/signal"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

func init() {
	// Prints the lines that it is given as arguments, and ends with its input.
	programs["stdio prints"] = func() {
		for _, line := range os.Args[1:] {
			fmt.Println(line)
		}
		io.Copy(io.Discard, os.Stdin)
	}
	// Answers 7 with 100 MiB, the id in front and at the end, then 8 as it should.
	programs["stdio too much"] = func() {
		mebibyte := strings.Repeat("x", 1<<20)
		for _, ends := range [][2]string{
			{`{"jsonrpc":"2.0","id":7,"result":{"id":1,"text":"`, `"}}`},
			{`{"jsonrpc":"2.0","result":{"id":1,"text":"\"}`, `"},"id":"seven"}`},
			{`{"jsonrpc":"2.0","method":"x","id":7,"params":"`, `"}`},
		} {
			io.WriteString(os.Stdout, ends[0])
			for range 100 {
				io.WriteString(os.Stdout, mebibyte)
			}
			fmt.Println(ends[1])
		}
		fmt.Println(`{"jsonrpc":"2.0","id":8,"result":{}}`)
		io.Copy(io.Discard, os.Stdin)
	}
	programs["stdio echoes"] = func() { io.Copy(os.Stdout, os.Stdin) }
	// Reads nothing, and stays when it is asked to go.
	programs["stdio stubborn"] = func() {
		ossignal.Ignore(syscall.SIGTERM)
		fmt.Println(`{"jsonrpc":"2.0","method":"ready"}`)
		select {}
	}
	programs["stdio fails"] = func() {
		fmt.Fprintln(os.Stderr, strings.Repeat("x", 1<<20))
		fmt.Fprintln(os.Stderr, "starting with the token "+os.Getenv("TOKEN"))
		fmt.Fprint(os.Stderr, "no such directory")
		os.Exit(3)
	}
}

// dialStdio connects with one of the programs above.
func dialStdio(t *testing.T, log *zap.Logger, edit func(*Server), name string, arguments ...string) (*stdioTransport, sdk.Connection) {
	t.Helper()
	s := program(t, name, arguments...)
	s.MaxMessage = 1 << 20
	if edit != nil {
		edit(&s)
	}
	transport, err := newStdioTransport(&s, log)
	require.NoError(t, err)
	conn, err := transport.Connect(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() {
		transport.kill()
		require.NoError(t, conn.Close())
	})
	return transport, conn
}

func readAnswer(t *testing.T, conn sdk.Connection) *jsonrpc.Response {
	t.Helper()
	message, err := conn.Read(t.Context())
	require.NoError(t, err)
	require.IsType(t, &jsonrpc.Response{}, message)
	return message.(*jsonrpc.Response)
}

func TestAnAnswerThatIsTooLongIsItsCallsFailureAlone(t *testing.T) {
	_, conn := dialStdio(t, zap.NewNop(), nil, "stdio too much")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const why = "the answer has %d bytes, more than the 1048576 that are read"
	first := readAnswer(t, conn)
	require.Equal(t, int64(7), first.ID.Raw())
	require.EqualError(t, first.Error, fmt.Sprintf(why, 100<<20+len(`{"jsonrpc":"2.0","id":7,"result":{"id":1,"text":""}}`+"\n")))
	second := readAnswer(t, conn)
	require.Equal(t, "seven", second.ID.Raw())
	require.ErrorContains(t, second.Error, "more than the 1048576 that are read")
	third := readAnswer(t, conn) // the server's own request, which was too long as well, has an id of ours and answers nothing
	require.Equal(t, int64(8), third.ID.Raw())
	require.NoError(t, third.Error)
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(32<<20))
}

func TestWhatIsNoMessageIsSkippedAndLoggedOnceAsAWarning(t *testing.T) {
	core, logs := observer.New(zap.DebugLevel)
	_, conn := dialStdio(t, zap.New(core), nil, "stdio prints",
		"Weather server 1.0, listening", `{"level":"info","id":1,"msg":"a log"}`, "", "\xff", "[1", "[]", "null", "3",
		`{"jsonrpc":"1.0","id":2,"result":{}}`, `[{"jsonrpc":"2.0","id":3,"result":{}},{"jsonrpc":"2.0","id":4,"result":{}}]`,
	)
	broken := readAnswer(t, conn)
	require.Equal(t, int64(2), broken.ID.Raw())
	require.ErrorContains(t, broken.Error, "the answer can't be read: ")
	require.Equal(t, int64(3), readAnswer(t, conn).ID.Raw())
	require.Equal(t, int64(4), readAnswer(t, conn).ID.Raw())
	entries := logs.FilterMessage("the server printed what is no message; it is skipped").All()
	require.Len(t, entries, 6)
	for i, e := range entries {
		require.Equal(t, i == 0, e.Level == zap.WarnLevel)
	}
	require.Equal(t, "Weather server 1.0, listening", entries[0].ContextMap()["text"])
}

func TestMessagesReachAProgramWhole(t *testing.T) {
	_, conn := dialStdio(t, zap.NewNop(), nil, "stdio echoes")
	params, err := json.Marshal(strings.Repeat("line\n", 100_000))
	require.NoError(t, err)
	written := make(chan error)
	for range 8 {
		go func() {
			written <- conn.Write(t.Context(), &jsonrpc.Request{Method: "notice", Params: params})
		}()
	}
	for range 8 {
		message, err := conn.Read(t.Context())
		require.NoError(t, err)
		require.Equal(t, string(params), string(message.(*jsonrpc.Request).Params))
	}
	for range 8 {
		require.NoError(t, <-written)
	}
	require.NoError(t, conn.Close())
	require.Equal(t, sdk.ErrConnectionClosed, conn.Write(context.Background(), &jsonrpc.Request{Method: "notice"}))
	_, err = conn.Read(context.Background())
	require.Equal(t, io.EOF, err)
}

func TestAProgramThatDoesNotReadBlocksNobodyForEver(t *testing.T) {
	transport, conn := dialStdio(t, zap.NewNop(), nil, "stdio stubborn")
	_, err := conn.Read(t.Context())
	require.NoError(t, err)
	large, err := json.Marshal(strings.Repeat("x", 1<<20))
	require.NoError(t, err)
	message := &jsonrpc.Request{Method: "notice", Params: large}
	for range 2 { // one that is begun, one that waits for that
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		require.ErrorIs(t, conn.Write(ctx, message), context.DeadlineExceeded)
		cancel()
	}
	written, read := make(chan error), make(chan error)
	go func() { written <- conn.Write(t.Context(), message) }()
	go func() {
		_, err := conn.Read(t.Context())
		read <- err
	}()
	transport.kill()
	require.Equal(t, io.EOF, <-read)
	require.Error(t, <-written)
	require.NoError(t, conn.Close())
	require.EqualError(t, transport.ended(), "signal: killed")
}

func TestClosingEndsAProgramThatStays(t *testing.T) {
	transport, conn := dialStdio(t, zap.NewNop(), nil, "stdio stubborn")
	_, err := conn.Read(t.Context())
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	require.EqualError(t, transport.ended(), "signal: killed")
}

func TestTheEndOfAProgramIsToldWithItsLastLinesButNotItsSecrets(t *testing.T) {
	core, logs := observer.New(zap.DebugLevel)
	transport, conn := dialStdio(t, zap.New(core), func(s *Server) {
		s.Env = append(s.Env, "TOKEN=sk-123456789")
	}, "stdio fails")
	_, err := conn.Read(t.Context())
	require.Equal(t, io.EOF, err)
	require.EqualError(t, transport.ended(), "exit status 3: ...starting with the token [secret]; no such directory")
	require.Equal(t, []any{
		strings.Repeat("x", maxLogged), "starting with the token [secret]", "no such directory",
	}, lines(logs.All()))
}

func lines(entries []observer.LoggedEntry) []any {
	var lines []any
	for _, e := range entries {
		if e.Level == zapcore.DebugLevel {
			lines = append(lines, e.ContextMap()["line"])
		}
	}
	return lines
}

func TestAProgramThatIsNotThereIsExplainedBeforeItIsStarted(t *testing.T) {
	for want, s := range map[string]Server{
		`the program "no-such-server" is not in PATH: install it, or give its path`: {Command: []string{"no-such-server"}},
		`the directory "/no/such/directory" does not exist`:                         {Command: []string{"sh"}, Dir: "/no/such/directory"},
		`env: want "NAME" or "NAME=value", got one with the name ""`:                {Command: []string{"sh"}, Env: []string{"=secret"}},
	} {
		_, err := newStdioTransport(&s, zap.NewNop())
		require.EqualError(t, err, want)
	}
}

func TestTheIDOfAMessageIsFoundWhereverItStands(t *testing.T) {
	for text, want := range map[string]string{
		`{"jsonrpc":"2.0","id":3,"result":{"id":1}}`:                 "3",
		`{"result":{"id":1,"x":[{"id":2}]},"jsonrpc":"2.0","id":3}`:  "3",
		` { "jsonrpc" : "2.0" , "id" : "a\"}b" , "result" : null } `: `"a\"}b"`,
		`{"jsonrpc":"2.0","result":"\",\"id\":9,\"","id":3}`:         "3",
		`{"jsonrpc":"2.0","result":["id",":",4],"id":3}`:             "3",
		`{"jsonrpc":"2.0","method":"x","id":3}`:                      "",
		`{"id":3,"result":{}}`:                                       "",
		`{"jsonrpc":"2.0","result":{"id":3}}`:                        "",
		`[{"jsonrpc":"2.0","id":3}]`:                                 "",
		`no JSON "id":3`:                                             "",
		``:                                                           "",
	} {
		var whole, pieces idScanner
		whole.write([]byte(text))
		for i := range len(text) {
			pieces.write([]byte{text[i]})
		}
		require.Equal(t, want, whole.answers(), text)
		require.Equal(t, want, pieces.answers(), text)
	}
}

func FuzzTheIDOfAMessageIsTheDecoders(f *testing.F) {
	for _, result := range []string{`{"id":1}`, `"\"id\":1"`, `[1,{"id":[2]}]`, `null`, `-1.5e3`} {
		f.Add(result, int64(3))
	}
	f.Fuzz(func(t *testing.T, result string, id int64) {
		if !json.Valid([]byte(result)) {
			return
		}
		for _, text := range []string{
			fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"result":%s}`, id, result),
			fmt.Sprintf(`{"jsonrpc":"2.0","result":%s,"id":%d}`, result, id),
		} {
			var scan idScanner
			scan.write([]byte(text))
			require.Equal(t, fmt.Sprint(id), scan.answers())
		}
	})
}
