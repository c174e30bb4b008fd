package mcp

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/tool"
)

// becomes waits until the servers' tools have the names.
func becomes(t *testing.T, s *Servers, names ...string) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) { require.Equal(c, names, toolNamesOf(s.Tools())) }, 10*time.Second, 10*time.Millisecond)
}

func TestALaterRunHasTheToolsThatAServerHasAddedMeanwhile(t *testing.T) {
	server := newServer("s")
	add(server, sdk.Tool{Name: "a"}, echo)
	s := connected(t, inProcessServer(server))
	kept := s.Tools()
	add(server, sdk.Tool{Name: "b"}, echo)
	becomes(t, s, "a", "b")
	require.Len(t, kept, 1)
}

func TestAToolThatItsServerHasNoLongerAnswersThat(t *testing.T) {
	server := newServer("s")
	add(server, sdk.Tool{Name: "a"}, echo)
	add(server, sdk.Tool{Name: "b"}, echo)
	s := connected(t, inProcessServer(server))
	gone := pick(t, s, "b")
	server.RemoveTools("b")
	becomes(t, s, "a")
	_, err := call(t.Context(), gone, "{}")
	require.EqualError(t, err, `the server "s" no longer has the tool "b"`)
}

func TestAToolThatIsNoLongerReadOnlyIsRefused(t *testing.T) {
	no := false
	server := newServer("s")
	var ran atomic.Int64
	count := func(context.Context, *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		ran.Add(1)
		return textResult("ran"), nil
	}
	add(server, sdk.Tool{Name: "look", Annotations: &sdk.ToolAnnotations{ReadOnlyHint: true}}, count)
	add(server, sdk.Tool{Name: "note", Annotations: &sdk.ToolAnnotations{DestructiveHint: &no}}, count)
	s := connected(t, inProcessServer(server))
	tools := s.Tools()

	add(server, sdk.Tool{Name: "look", Annotations: &sdk.ToolAnnotations{DestructiveHint: &no}}, count)
	add(server, sdk.Tool{Name: "note"}, count)
	require.Eventually(t, func() bool {
		look, note := pick(t, s, "look"), pick(t, s, "note")
		return !look.ReadOnly && note.Destructive
	}, 10*time.Second, 10*time.Millisecond)
	calls := []batch.ToolCall{{Name: "look"}, {Name: "note"}}
	for i, e := range tool.Run(t.Context(), tools, calls, tool.RunOptions{Approve: tool.ApproveReadOnly}) {
		require.True(t, e.Refused, calls[i].Name)
		require.True(t, e.Error)
	}
	for i, want := range []string{"was read-only when this run began", "was not destructive when this run began"} {
		_, err := call(t.Context(), &tools[i], "{}")
		var refused *tool.RefusedError
		require.ErrorAs(t, err, &refused)
		require.ErrorContains(t, err, want)
	}
	require.Zero(t, ran.Load())
	_, err := call(t.Context(), pick(t, s, "look"), "{}")
	require.NoError(t, err, "a later run knows what it calls")
}

func TestAStormOfChangesIsListedNowAndThen(t *testing.T) {
	server := newServer("s")
	add(server, sdk.Tool{Name: "echo"}, echo)
	var lists atomic.Int64
	server.AddReceivingMiddleware(func(next sdk.MethodHandler) sdk.MethodHandler {
		return func(ctx context.Context, method string, request sdk.Request) (sdk.Result, error) {
			if method == "tools/list" {
				lists.Add(1)
			}
			return next(ctx, method, request)
		}
	})
	s := connected(t, inProcessServer(server))
	const changes = 300
	for i := range changes {
		add(server, sdk.Tool{Name: fmt.Sprintf("t%d", i)}, echo)
		_, err := call(t.Context(), pick(t, s, "echo"), "{}")
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool { return len(s.Tools()) == changes+1 }, 10*time.Second, 10*time.Millisecond)
	require.Less(t, lists.Load(), int64(changes/3))
}

// forgetful is a server over HTTP whose sessions can be taken from it.
func forgetful(t *testing.T) (Server, func()) {
	t.Helper()
	server := newServer("web")
	add(server, sdk.Tool{Name: "echo"}, echo)
	var handler atomic.Pointer[sdk.StreamableHTTPHandler]
	forget := func() {
		handler.Store(sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return server }, nil))
	}
	forget()
	listener := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.Load().ServeHTTP(w, r) }))
	t.Cleanup(listener.Close)
	t.Cleanup(listener.CloseClientConnections)
	return Server{Name: "web", URL: listener.URL}, forget
}

func TestACallToAServerThatHasForgottenTheSessionIsMadeInANewOne(t *testing.T) {
	server, forget := forgetful(t)
	s := connected(t, server)
	echo := pick(t, s, "echo")
	for i := range 3 {
		text, err := call(t.Context(), echo, fmt.Sprintf(`{"n":%d}`, i))
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf(`{"n":%d}`, i), text)
		forget()
	}
}

func TestCloseEndsAtOnceWhenItsContextDoes(t *testing.T) {
	server, _ := mortal(t, 0)
	hangs := program(t, "deaf")
	s, err := Connect(t.Context(), server, hangs)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.Close(ctx), context.Canceled)
	require.NoError(t, s.Close(t.Context()), "nothing is left to close")
}

func init() {
	programs["deaf"] = func() { // it goes on when its input ends
		server := newServer("deaf")
		add(server, sdk.Tool{Name: "echo"}, echo)
		_ = server.Run(context.Background(), &sdk.StdioTransport{})
		select {}
	}
}
