package mcp

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"
)

func init() {
	programs["mortal"] = runMortal
	programs["raw"] = runRaw
}

// runMortal is a server that writes a byte to the file of its first argument at each start. Its tool "echo" works; "die" ends
// it, as does the n-th call of "echo", n being its second argument; "wait" never answers; "pid" tells its process id.
func runMortal() {
	starts, err := os.OpenFile(os.Args[1], os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	starts.WriteString("x")
	starts.Close()
	last, _ := strconv.ParseInt(os.Args[2], 10, 64)
	var calls atomic.Int64
	server := newServer("mortal")
	die := func(context.Context, *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		fmt.Fprintln(os.Stderr, "the disk is gone")
		os.Exit(3)
		return nil, nil
	}
	add(server, sdk.Tool{Name: "die"}, die)
	add(server, sdk.Tool{Name: "pid"}, func(context.Context, *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		return textResult(strconv.Itoa(os.Getpid())), nil
	})
	add(server, sdk.Tool{Name: "wait"}, func(ctx context.Context, _ *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	add(server, sdk.Tool{Name: "echo"}, func(ctx context.Context, request *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		if calls.Add(1) == last {
			return die(ctx, request)
		}
		return echo(ctx, request)
	})
	_ = server.Run(context.Background(), &sdk.StdioTransport{})
}

// mortal is that server, and a function that tells how often it was started.
func mortal(t *testing.T, last int) (Server, func() int) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "starts")
	return program(t, "mortal", file, strconv.Itoa(last)), func() int {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		return len(data)
	}
}

// runRaw is a server that answers by what its arguments say, each "method=line": the line is written as the answer to that
// method, ID standing for the request's id, PAGE for the cursor's number plus one. "exit" ends the program, "" answers nothing.
func runRaw() {
	answers := make(map[string]string)
	for _, argument := range os.Args[1:] {
		method, answer, _ := strings.Cut(argument, "=")
		answers[method] = answer
	}
	if _, ok := answers["initialize"]; !ok {
		answers["initialize"] = `{"jsonrpc":"2.0","id":ID,"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},` +
			`"serverInfo":{"name":"raw","version":"1"}}}`
	}
	input := bufio.NewScanner(os.Stdin)
	input.Buffer(nil, 1<<20)
	for input.Scan() {
		var request struct {
			ID     json.RawMessage
			Method string
			Params struct{ Cursor string }
		}
		if json.Unmarshal(input.Bytes(), &request) != nil {
			continue
		}
		switch answer := answers[request.Method]; answer {
		case "":
		case "exit":
			fmt.Fprintln(os.Stderr, "no licence")
			os.Exit(7)
		default:
			page, _ := strconv.Atoi(request.Params.Cursor)
			answer = strings.ReplaceAll(answer, "PAGE", strconv.Itoa(page+1))
			fmt.Println(strings.ReplaceAll(answer, "ID", string(request.ID)))
		}
	}
}

// running is the session of the first server.
func running(t *testing.T, s *Servers) *session {
	t.Helper()
	session, err := s.hosts[0].session(t.Context())
	require.NoError(t, err)
	return session
}

const oneTool = `tools/list={"jsonrpc":"2.0","id":ID,"result":{"tools":[{"name":"t","inputSchema":{"type":"object"}}]}}`

func TestACallDuringWhichTheServerDiesIsAnErrorAndTheNextStartsItAgain(t *testing.T) {
	server, starts := mortal(t, 0)
	server.Name = "files"
	s := connected(t, server)
	wait, die, echo := pick(t, s, "wait"), pick(t, s, "die"), pick(t, s, "echo")
	_, err := call(t.Context(), echo, "{}")
	require.NoError(t, err)

	failed := make(chan error)
	go func() {
		_, err := call(t.Context(), wait, "{}")
		failed <- err
	}()
	_, err = call(t.Context(), die, "{}")
	const want = `the server "files" ended during the call (exit status 3: the disk is gone); whether the call took effect is not known`
	require.EqualError(t, err, want)
	if err := <-failed; err.Error() != want { // it may have been sent to the next one
		t.Fatal(err)
	}
	text, err := call(t.Context(), echo, `{"a":1}`)
	require.NoError(t, err)
	require.Equal(t, `{"a":1}`, text)
	require.Equal(t, 2, starts())
}

func TestAServerThatDiesNowAndThenAnswersAllOtherCalls(t *testing.T) {
	server, starts := mortal(t, 10)
	s := connected(t, server)
	echo := pick(t, s, "echo")
	const calls = 60
	errs := make(chan error, calls)
	for range calls {
		go func() {
			_, err := call(t.Context(), echo, "{}")
			errs <- err
		}()
	}
	failed := 0
	for range calls {
		if err := <-errs; err != nil {
			require.ErrorContains(t, err, "ended during the call (exit status 3: the disk is gone)")
			failed++
		}
	}
	require.Positive(t, failed)
	require.Less(t, failed, calls)
	require.Greater(t, starts(), 1)
}

func TestAServerThatDiesAtEachCallIsGivenUp(t *testing.T) {
	server, starts := mortal(t, 1)
	server.Name, server.MaxRestarts = "files", 2
	s := connected(t, server)
	echo := pick(t, s, "echo")
	for range 3 {
		_, err := call(t.Context(), echo, "{}")
		require.ErrorContains(t, err, `the server "files" ended during the call`)
	}
	const want = `the server "files" has ended 3 times in a row (exit status 3: the disk is gone); it is not started again`
	_, err := call(t.Context(), echo, "{}")
	require.EqualError(t, err, want)
	_, err = echo.Call(t.Context(), nil)
	require.EqualError(t, err, want)
	require.Equal(t, 3, starts())
	require.NotEmpty(t, s.Tools(), "what it had is still known")
}

func TestWithoutRestartsAServersEndIsFinalAndOtherServersGoOn(t *testing.T) {
	first, starts := mortal(t, 0)
	first.Name, first.MaxRestarts = "first", -1
	second := newServer("second")
	add(second, sdk.Tool{Name: "say"}, says("hello"))
	s := connected(t, first, inProcessServer(second))
	_, err := call(t.Context(), pick(t, s, "die"), "{}")
	require.Error(t, err)
	_, err = call(t.Context(), pick(t, s, "echo"), "{}")
	require.EqualError(t, err, `the server "first" has ended (exit status 3: the disk is gone); it is not started again`)
	require.Equal(t, 1, starts())
	text, err := call(t.Context(), pick(t, s, "say"), "{}")
	require.NoError(t, err)
	require.Equal(t, "hello", text)
}

func TestAServerKilledBetweenCallsIsStartedAgainByOneOfManyCalls(t *testing.T) {
	server, starts := mortal(t, 0)
	s := connected(t, server)
	echo := pick(t, s, "echo")
	text, err := call(t.Context(), pick(t, s, "pid"), "{}")
	require.NoError(t, err)
	pid, err := strconv.Atoi(text)
	require.NoError(t, err)
	process, err := os.FindProcess(pid)
	require.NoError(t, err)
	require.NoError(t, process.Kill())
	require.Eventually(t, func() bool { // the host has noticed: nothing that follows is sent to the dead one
		h := s.hosts[0]
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.now.session == nil
	}, 10*time.Second, time.Millisecond)
	errs := make(chan error)
	for range 30 {
		go func() {
			_, err := call(t.Context(), echo, "{}")
			errs <- err
		}()
	}
	for range 30 {
		require.NoError(t, <-errs)
	}
	require.Equal(t, 2, starts())
}

func TestACallThatGivesUpWaitingDoesNotEndTheStart(t *testing.T) {
	server, starts := mortal(t, 0)
	s := connected(t, server)
	_, err := call(t.Context(), pick(t, s, "die"), "{}")
	require.Error(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = call(ctx, pick(t, s, "echo"), "{}")
	require.ErrorIs(t, err, context.Canceled)
	_, err = call(t.Context(), pick(t, s, "echo"), "{}")
	require.NoError(t, err)
	require.LessOrEqual(t, starts(), 2)
}

func TestAProgramThatDoesNotStartIsAnErrorThatSaysWhy(t *testing.T) {
	exits := program(t, "raw", "initialize=exit")
	exits.Name = "licensed"
	_, err := Connect(t.Context(), exits)
	require.EqualError(t, err, `MCP server "licensed": exit status 7: no licence`)

	_, err = Connect(t.Context(), Server{Command: []string{"/no/such/program"}})
	require.EqualError(t, err, `MCP server "program": the program "/no/such/program" does not exist`)

	hangs := program(t, "raw", "initialize=")
	hangs.StartTimeout = 200 * time.Millisecond
	_, err = Connect(t.Context(), hangs)
	require.ErrorContains(t, err, "it was not ready within 200ms")

	refuses := program(t, "raw", `initialize={"jsonrpc":"2.0","id":ID,"error":{"code":-32602,"message":"too old"}}`)
	refuses.Name = "old"
	_, err = Connect(t.Context(), refuses)
	require.EqualError(t, err, `MCP server "old": too old`)
}

func TestAServerThatDoesNotListItsToolsWellIsAnError(t *testing.T) {
	const list = `tools/list={"jsonrpc":"2.0","id":ID,"result":`
	var many []string
	for range 100 {
		many = append(many, `{"name":"tPAGE","inputSchema":{"type":"object"}}`)
	}
	for answer, want := range map[string]string{
		list + `{"tools":[],"nextCursor":"7"}}`:                                           "listing its tools: a page points back to one before it",
		list + `{"tools":[],"nextCursor":"PAGE"}}`:                                        "listing its tools: there are more than 1000 pages",
		list + `{"tools":[` + strings.Join(many, ",") + `],"nextCursor":"PAGE"}}`:         "listing its tools: there are more than 5000",
		`tools/list={"jsonrpc":"2.0","id":ID,"error":{"code":-32603,"message":"broken"}}`: "listing its tools: broken",
		`tools/list=exit`: "exit status 7: no licence",
		`tools/list=`:     "it was not ready within 2s",
	} {
		server := program(t, "raw", answer)
		server.StartTimeout = 2 * time.Second
		_, err := Connect(t.Context(), server)
		require.ErrorContains(t, err, want)
	}
}

func TestToolsThatNoModelCouldCallAreLeftOut(t *testing.T) {
	s := connected(t, program(t, "raw", `tools/list={"jsonrpc":"2.0","id":ID,"result":{"tools":[`+
		`{"name":"good","inputSchema":{"type":"object"}},`+
		`{"name":"good","description":"again","inputSchema":{"type":"object"}},`+
		`{"name":"","inputSchema":{"type":"object"}},`+
		`{"name":"array","inputSchema":{"type":"array"}},`+
		`{"name":"text","inputSchema":"object"},`+
		`{"name":"none"},`+
		`null,`+
		`{"name":"untyped","inputSchema":{"properties":{"a":{}}}}]}}`))
	require.Equal(t, []string{"good", "untyped"}, toolNamesOf(s.Tools()))
	require.JSONEq(t, `{"type":"object","properties":{"a":{}}}`, string(pick(t, s, "untyped").Parameters))
}

func TestAServerWithoutToolsHasNone(t *testing.T) {
	s := connected(t, program(t, "raw", `initialize={"jsonrpc":"2.0","id":ID,"result":{"protocolVersion":"2025-06-18",`+
		`"capabilities":{"prompts":{}},"serverInfo":{"name":"raw","version":"1"}}}`))
	require.Empty(t, s.Tools())
}

func TestAnAnswerThatCannotBeReadFailsItsCallAlone(t *testing.T) {
	for answer, want := range map[string]string{
		`{"jsonrpc":"2.0","id":ID,"result":{"content":[{"type":"hologram"}]}}`: "can't be read",
		`{"jsonrpc":"2.0","id":ID,"result":{"content":"x"}}`:                   "can't be read",
		`{"jsonrpc":"2.0","id":ID,"result":7}`:                                 "can't be read",
		`{"jsonrpc":"2.0","id":ID}`:                                            "",
	} {
		s := connected(t, program(t, "raw", oneTool, "tools/call="+answer, `ping={"jsonrpc":"2.0","id":ID,"result":{}}`))
		session := running(t, s)
		for range 2 {
			_, err := call(t.Context(), pick(t, s, "t"), "{}")
			require.ErrorContains(t, err, want, answer)
		}
		require.Same(t, session, running(t, s))
	}
}

func TestAnAnswerThatComesTwiceAndGarbageDoNoHarm(t *testing.T) {
	const good = `{"jsonrpc":"2.0","id":ID,"result":{"content":[{"type":"text","text":"good"}]}}`
	s := connected(t, program(t, "raw", oneTool, "tools/call=starting...\n"+good+"\n"+good+"\n{\n[]\n\xff\xfe\n"))
	for range 5 {
		text, err := call(t.Context(), pick(t, s, "t"), "{}")
		require.NoError(t, err)
		require.Equal(t, "good", text)
	}
}

func TestACallThatIsNeverAnsweredEndsWithItsContextAndTheServerGoesOn(t *testing.T) {
	s := connected(t, program(t, "raw", oneTool, "tools/call="))
	session := running(t, s)
	for range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err := call(ctx, pick(t, s, "t"), "{}")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		cancel()
	}
	require.Same(t, session, running(t, s))
}
