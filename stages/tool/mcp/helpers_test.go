package mcp

import (
	"context"
	"encoding/json"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/tool"
)

// newServer returns a server without tools.
func newServer(name string) *sdk.Server {
	return sdk.NewServer(&sdk.Implementation{Name: name, Version: "1"}, &sdk.ServerOptions{
		Capabilities: &sdk.ServerCapabilities{Tools: &sdk.ToolCapabilities{ListChanged: true}},
	})
}

type handler func(ctx context.Context, request *sdk.CallToolRequest) (*sdk.CallToolResult, error)

// add adds a tool that takes anything.
func add(server *sdk.Server, t sdk.Tool, handle handler) {
	if t.InputSchema == nil {
		t.InputSchema = json.RawMessage(`{"type":"object"}`)
	}
	server.AddTool(&t, sdk.ToolHandler(handle))
}

func says(text string) handler {
	return func(context.Context, *sdk.CallToolRequest) (*sdk.CallToolResult, error) { return textResult(text), nil }
}

func textResult(text string) *sdk.CallToolResult {
	return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: text}}}
}

func echo(_ context.Context, request *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
	return textResult(string(request.Params.Arguments)), nil
}

// connected connects to servers and closes them when the test ends.
func connected(t *testing.T, servers ...Server) *Servers {
	t.Helper()
	s, err := Connect(t.Context(), servers...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close(context.Background())) })
	return s
}

func inProcessServer(server *sdk.Server) Server { return Server{InProcess: server} }

// pick returns the tool of a name.
func pick(t *testing.T, s *Servers, name string) *batch.Tool {
	t.Helper()
	tools, err := tool.Select(s.Tools(), name)
	require.NoError(t, err)
	return &tools[0]
}

func toolNamesOf(tools []batch.Tool) []string {
	names := make([]string, len(tools))
	for i := range tools {
		names[i] = tools[i].Name
	}
	return names
}

func call(ctx context.Context, t *batch.Tool, arguments string) (string, error) {
	release, err := t.Acquire(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	return t.Call(ctx, json.RawMessage(arguments))
}
