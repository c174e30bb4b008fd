// Package weather is an MCP server, as anybody might write one with the Go SDK: it tells the weather and calculates. It
// knows nothing of gluepipe's runs, which reach it in process, over standard input and output, or over HTTP.
package weather

import (
	"context"
	"fmt"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/gluepipe/gluepipe/stages/tool"
)

type place struct {
	Location string `json:"location" jsonschema:"a city, such as Oslo"`
}

type sum struct {
	Expression string `json:"expression" jsonschema:"such as 123 * 456"`
}

// NewServer returns a server with the tools get_weather and calculate, which change nothing and say so.
func NewServer() *mcp.Server {
	server := mcp.NewServer(&mcp.Implementation{Name: "weather", Version: "1"}, nil)
	readOnly := &mcp.ToolAnnotations{ReadOnlyHint: true}
	mcp.AddTool(server, &mcp.Tool{
		Name: "get_weather", Description: "Tells the current weather at a location.", Annotations: readOnly,
	}, getWeather)
	mcp.AddTool(server, &mcp.Tool{
		Name: "calculate", Description: "Evaluates an arithmetic expression.", Annotations: readOnly,
	}, calculate)
	return server
}

// getWeather answers by an error for a place that it doesn't know. The model reads it, and may ask again.
func getWeather(_ context.Context, _ *mcp.CallToolRequest, p place) (*mcp.CallToolResult, any, error) {
	if p.Location == "Atlantis" {
		return nil, nil, fmt.Errorf("no location %q", p.Location)
	}
	return text(fmt.Sprintf("Weather in %s: 22°C, sunny", p.Location)), nil, nil
}

func calculate(ctx context.Context, request *mcp.CallToolRequest, _ sum) (*mcp.CallToolResult, any, error) {
	number, err := tool.Calculate().Call(ctx, request.Params.Arguments)
	if err != nil {
		return nil, nil, err
	}
	return text(number), nil, nil
}

func text(s string) *mcp.CallToolResult {
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: s}}}
}
