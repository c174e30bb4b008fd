package mcp

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/tool"
)

func TestToolsOfSeveralServersStandInOrderAndCollidingOnesArePrefixed(t *testing.T) {
	var servers []Server
	for _, name := range []string{"b", "a"} {
		server := newServer("x")
		add(server, sdk.Tool{Name: "search"}, says(name))
		add(server, sdk.Tool{Name: "only." + name}, says(name))
		servers = append(servers, Server{Name: name, InProcess: server})
	}
	s := connected(t, servers...)
	require.Equal(t, []string{"only_b", "b_search", "only_a", "a_search"}, toolNamesOf(s.Tools()))
	require.Equal(t, []string{"b_only_b", "b_search", "only_a", "a_search"}, toolNamesOf(s.Tools("only_b")))
	for _, name := range []string{"a", "b"} {
		for _, prefix := range []string{name + "_search", "only_" + name} {
			text, err := call(t.Context(), pick(t, s, prefix), "{}")
			require.NoError(t, err)
			require.Equal(t, name, text)
		}
	}
}

func TestServersOfOneNameAreNumbered(t *testing.T) {
	add := func(name string) Server {
		server := newServer("files")
		add(server, sdk.Tool{Name: "list"}, echo)
		return Server{Name: name, InProcess: server}
	}
	s := connected(t, add(""), add("files"), add(""))
	require.Equal(t, []string{"files-2_list", "files_list", "files-3_list"}, toolNamesOf(s.Tools()))
}

func TestAWrongServerIsNamed(t *testing.T) {
	in := newServer("s")
	for want, servers := range map[string][]Server{
		`MCP server 1: want exactly one of Command, URL and InProcess`:                   {{}},
		`MCP server "x": want exactly one of Command, URL and InProcess`:                 {{Name: "x", URL: "http://h", InProcess: in}},
		`MCP server 2: the command is empty`:                                             {{InProcess: in}, {Command: []string{" "}}},
		`MCP server 1: the URL is not valid, want one such as "https://example.com/mcp"`: {{URL: "ftp://u:secret@h"}},
		`MCP server "a b": a name has 1 to 32 letters, digits, underscores and hyphens`:  {{Name: "a b", InProcess: in}},
		`two MCP servers are named "x"`:                                                  {{Name: "x", InProcess: in}, {Name: "x", InProcess: in}},
		`MCP server 1: MaxConcurrent is -1, want 1 or more`:                              {{InProcess: in, MaxConcurrent: -1}},
		`MCP server 1: MaxRestarts is -2, want -1 (none) or more`:                        {{InProcess: in, MaxRestarts: -2}},
		`MCP server 1: StartTimeout is -1s, want more than 0`:                            {{InProcess: in, StartTimeout: -time.Second}},
		`MCP server 1: MaxMessage is -1, want 1 or more`:                                 {{InProcess: in, MaxMessage: -1}},
	} {
		_, err := Connect(t.Context(), servers...)
		require.EqualError(t, err, want)
	}
}

func TestCloseCancelsCallsInFlightAndAnswersLaterOnes(t *testing.T) {
	server := newServer("s")
	started := make(chan struct{})
	add(server, sdk.Tool{Name: "wait"}, func(ctx context.Context, _ *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		close(started)
		<-ctx.Done()
		return nil, ctx.Err()
	})
	s, err := Connect(t.Context(), inProcessServer(server))
	require.NoError(t, err)
	wait := pick(t, s, "wait")
	failed := make(chan error)
	go func() {
		_, err := call(t.Context(), wait, "{}")
		failed <- err
	}()
	<-started
	require.NoError(t, s.Close(t.Context()))
	require.NoError(t, s.Close(t.Context()))
	require.EqualError(t, <-failed, `the server "s" ended during the call (it was closed); whether the call took effect is not known`)
	_, err = call(t.Context(), wait, "{}")
	require.EqualError(t, err, `the server "s" is closed`)
	_, err = wait.Call(t.Context(), nil)
	require.EqualError(t, err, `the server "s" is closed`)
}

func TestCloseAmidManyCallsAnswersThemAll(t *testing.T) {
	server := newServer("s")
	add(server, sdk.Tool{Name: "echo"}, echo)
	s, err := Connect(t.Context(), inProcessServer(server))
	require.NoError(t, err)
	tool := pick(t, s, "echo")
	const calls = 200
	done := make(chan struct{}, calls)
	for i := range calls {
		go func() {
			defer func() { done <- struct{}{} }()
			if _, err := call(context.Background(), tool, "{}"); err != nil && !strings.Contains(err.Error(), "closed") {
				t.Errorf("call %d: %v", i, err)
			}
		}()
	}
	<-done
	require.NoError(t, s.Close(t.Context()))
	for range calls - 1 {
		<-done
	}
}

func TestConnectEndsAllServersWhereOneFails(t *testing.T) {
	good := newServer("good")
	bad := newServer("bad")
	bad.AddReceivingMiddleware(func(next sdk.MethodHandler) sdk.MethodHandler {
		return func(ctx context.Context, method string, request sdk.Request) (sdk.Result, error) {
			if method == "initialize" {
				return nil, errors.New("not today")
			}
			return next(ctx, method, request)
		}
	})
	_, err := Connect(t.Context(), inProcessServer(good), Server{Name: "bad", InProcess: bad})
	require.EqualError(t, err, `MCP server "bad": not today`)
	require.Eventually(t, func() bool { return len(sessionsOf(good)) == 0 }, 10*time.Second, time.Millisecond)
}

func sessionsOf(server *sdk.Server) (sessions []*sdk.ServerSession) {
	for session := range server.Sessions() {
		sessions = append(sessions, session)
	}
	return sessions
}

func TestAServerThatIsNotReadyInTimeIsAnError(t *testing.T) {
	server := newServer("s")
	server.AddReceivingMiddleware(func(next sdk.MethodHandler) sdk.MethodHandler {
		return func(ctx context.Context, method string, request sdk.Request) (sdk.Result, error) {
			if method == "initialize" {
				<-ctx.Done()
			}
			return next(ctx, method, request)
		}
	})
	_, err := Connect(t.Context(), Server{Name: "slow", InProcess: server, StartTimeout: 50 * time.Millisecond})
	require.EqualError(t, err, `MCP server "slow": it was not ready within 50ms`)

	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	_, err = Connect(ctx, Server{Name: "slow", InProcess: server})
	require.ErrorContains(t, err, "enough")
}

func TestConnectOfNothingIsNothing(t *testing.T) {
	s := connected(t)
	require.Empty(t, s.Tools())
}

func TestARunGetsTheModelsCallsAnsweredByAServer(t *testing.T) {
	server := newServer("s")
	add(server, sdk.Tool{Name: "echo"}, echo)
	s := connected(t, inProcessServer(server))
	calls := make([]batch.ToolCall, 20)
	for i := range calls {
		calls[i] = batch.ToolCall{Name: "echo", Arguments: fmt.Sprintf(`{"n":%d}`, i)}
	}
	for i, e := range tool.Run(t.Context(), s.Tools(), calls, tool.RunOptions{Timeout: time.Minute, Turn: 1}) {
		require.False(t, e.Error, e.Result)
		require.Equal(t, calls[i].Arguments, e.Result)
		require.Equal(t, "s", e.Server)
	}
}

func TestAServerThatIsStartingIsKilledWhereConnectingIsCancelled(t *testing.T) {
	dir := t.TempDir()
	started, ended := filepath.Join(dir, "started"), filepath.Join(dir, "ended")
	ctx, cancel := context.WithCancel(t.Context())
	connected := make(chan error)
	go func() {
		_, err := Connect(ctx, Server{Command: []string{"sh", "-c", "echo > started; cat > /dev/null; sleep 1; echo > ended"}, Dir: dir})
		connected <- err
	}()
	require.Eventually(t, func() bool {
		_, err := os.Stat(started)
		return err == nil
	}, 10*time.Second, time.Millisecond)
	cancel()
	require.ErrorIs(t, <-connected, context.Canceled)
	require.NoFileExists(t, ended)
}

func TestWhatAProgramSaysLastIsToldHoweverSoonItEnds(t *testing.T) {
	for range 50 {
		_, err := Connect(t.Context(), Server{Command: []string{"sh", "-c", "echo no licence >&2; exit 3"}})
		require.ErrorContains(t, err, "exit status 3: no licence")
	}
}
