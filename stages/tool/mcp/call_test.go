package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"
)

func TestAServersToolsAreCalledWithTheArgumentsAsTheyAre(t *testing.T) {
	server := newServer("echoes")
	no := false
	add(server, sdk.Tool{Name: "echo", Description: "Repeats.", Annotations: &sdk.ToolAnnotations{ReadOnlyHint: true}}, echo)
	add(server, sdk.Tool{Name: "append", Annotations: &sdk.ToolAnnotations{DestructiveHint: &no}}, echo)
	add(server, sdk.Tool{Name: "wipe", InputSchema: json.RawMessage(`{"type":"object","properties":{"all":{"type":"boolean"}}}`)}, echo)
	s := connected(t, inProcessServer(server))

	tools := s.Tools()
	require.Equal(t, []string{"append", "echo", "wipe"}, toolNamesOf(tools))
	read := pick(t, s, "echo")
	require.Equal(t, "Repeats.", read.Description)
	require.Equal(t, "echoes", read.Server)
	require.JSONEq(t, `{"type":"object","properties":{}}`, string(read.Parameters))
	require.True(t, read.ReadOnly)
	require.False(t, read.Destructive)
	require.False(t, pick(t, s, "append").Destructive)
	wipe := pick(t, s, "wipe")
	require.False(t, wipe.ReadOnly)
	require.True(t, wipe.Destructive)
	require.JSONEq(t, `{"type":"object","properties":{"all":{"type":"boolean"}}}`, string(wipe.Parameters))

	const arguments = `{"id":12345678901234567890,"text":"ü"}`
	text, err := call(t.Context(), read, arguments)
	require.NoError(t, err)
	require.Equal(t, arguments, text)
	text, err = read.Call(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, "{}", text)
}

func TestAnErrorOfAServerIsTheToolsError(t *testing.T) {
	server := newServer("s")
	add(server, sdk.Tool{Name: "fail"}, func(context.Context, *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		r := textResult("no such file")
		r.IsError = true
		return r, nil
	})
	add(server, sdk.Tool{Name: "protocol"}, func(context.Context, *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		return nil, errors.New("out of order")
	})
	add(server, sdk.Tool{Name: "panic"}, func(context.Context, *sdk.CallToolRequest) (*sdk.CallToolResult, error) { panic("oh") })
	s := connected(t, inProcessServer(server))
	for name, want := range map[string]string{
		"fail": "no such file", "protocol": `the server "s": out of order`, "panic": `the server "s": the tool panicked: oh`,
	} {
		_, err := call(t.Context(), pick(t, s, name), "{}")
		require.EqualError(t, err, want)
	}
}

func TestCancellingACallReachesTheServer(t *testing.T) {
	server := newServer("s")
	started, ended := make(chan struct{}), make(chan struct{})
	add(server, sdk.Tool{Name: "wait"}, func(ctx context.Context, _ *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		close(started)
		<-ctx.Done()
		close(ended)
		return nil, ctx.Err()
	})
	add(server, sdk.Tool{Name: "echo"}, echo)
	s := connected(t, inProcessServer(server))
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-started; cancel() }()
	_, err := call(ctx, pick(t, s, "wait"), "{}")
	require.ErrorIs(t, err, context.Canceled)
	<-ended
	_, err = call(t.Context(), pick(t, s, "echo"), "{}")
	require.NoError(t, err, "the session goes on")
}

func TestCallsInFlightAreBounded(t *testing.T) {
	server := newServer("s")
	var now, most atomic.Int64
	add(server, sdk.Tool{Name: "busy"}, func(context.Context, *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		n := now.Add(1)
		defer now.Add(-1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		return textResult("done"), nil
	})
	s := connected(t, Server{InProcess: server, MaxConcurrent: 3})
	busy := pick(t, s, "busy")
	errs := make(chan error)
	for range 50 {
		go func() {
			_, err := call(t.Context(), busy, "{}")
			errs <- err
		}()
	}
	for range 50 {
		require.NoError(t, <-errs)
	}
	require.LessOrEqual(t, most.Load(), int64(3))

	var releases []func()
	for range 3 {
		release, err := busy.Acquire(t.Context())
		require.NoError(t, err)
		releases = append(releases, release)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	_, err := busy.Acquire(ctx)
	require.EqualError(t, err, "enough")
	for _, release := range releases {
		release()
	}
	release, err := busy.Acquire(t.Context())
	require.NoError(t, err)
	release()
}

func TestAnAnswerThatIsTooLongFailsItsCall(t *testing.T) {
	server := newServer("s")
	add(server, sdk.Tool{Name: "long"}, says(strings.Repeat("x", 2000)))
	s := connected(t, Server{InProcess: server, MaxMessage: 1000})
	_, err := call(t.Context(), pick(t, s, "long"), "{}")
	require.EqualError(t, err, `the answer of the server "s" has 2000 bytes, more than the 1000 that are read`)
}
