package mcp_test

import (
	"context"
	"fmt"
	"log"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/tool"
	"github.com/gluepipe/gluepipe/stages/tool/mcp"
)

func ExampleConnect() {
	type arguments struct {
		Location string `json:"location" jsonschema:"city and country"`
	}
	weather := sdk.NewServer(&sdk.Implementation{Name: "weather", Version: "1"}, nil)
	sdk.AddTool(weather, &sdk.Tool{
		Name: "get_weather", Description: "Tells the weather.", Annotations: &sdk.ToolAnnotations{ReadOnlyHint: true},
	}, func(_ context.Context, _ *sdk.CallToolRequest, a arguments) (*sdk.CallToolResult, any, error) {
		return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: "It is sunny in " + a.Location + "."}}}, nil, nil
	})

	ctx := context.Background()
	servers, err := mcp.Connect(ctx, mcp.Server{InProcess: weather}) // or Command, or URL
	if err != nil {
		log.Fatal(err)
	}
	defer servers.Close(ctx)

	calls := []batch.ToolCall{{Name: "get_weather", Arguments: `{"location":"Tokyo"}`}}
	for _, e := range tool.Run(ctx, servers.Tools(), calls, tool.RunOptions{Approve: tool.ApproveReadOnly}) {
		fmt.Println(e.Server, e.ToolName, e.Result)
	}
	// Output:
	// weather get_weather It is sunny in Tokyo.
}

func ExampleServers_Tools() {
	ctx := context.Background()
	var servers []mcp.Server
	for _, name := range []string{"files", "web"} {
		server := sdk.NewServer(&sdk.Implementation{Name: name, Version: "1"}, nil)
		search := &sdk.Tool{Name: "search", InputSchema: map[string]any{"type": "object"}}
		server.AddTool(search, func(context.Context, *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
			return &sdk.CallToolResult{}, nil
		})
		servers = append(servers, mcp.Server{InProcess: server})
	}
	connected, err := mcp.Connect(ctx, servers...)
	if err != nil {
		log.Fatal(err)
	}
	defer connected.Close(ctx)
	for _, t := range connected.Tools() {
		fmt.Println(t.Name)
	}
	// Output:
	// files_search
	// web_search
}
