// Command tools lets the model call Go functions: get_weather, written here, and the built-in calculate. The calls of one
// turn run side by side, and each result tells which calls were made.
//
//	go run ./examples/tools
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/gluepipe/gluepipe/examples/internal/example"
	"github.com/gluepipe/gluepipe/pipeline"
	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/tool"
)

type place struct {
	Location string `json:"location" jsonschema_description:"A city, such as Oslo"`
}

func weather(_ context.Context, p place) (string, error) {
	return fmt.Sprintf("Weather in %s: 22°C, sunny", p.Location), nil
}

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, w io.Writer) error {
	getWeather := tool.New("get_weather", "Tells the current weather at a location.", weather)
	calculate := tool.Calculate()
	requests := []batch.Request{
		{UserMessage: "What's the weather in Tokyo?", Tools: []batch.Tool{getWeather}},
		{UserMessage: "Calculate 123 * 456", Tools: []batch.Tool{calculate}},
		{UserMessage: "What's the weather in Paris and what's 50 + 50?", Tools: []batch.Tool{getWeather, calculate}},
	}
	response, err := pipeline.BatchComplete(ctx, requests, &pipeline.Config{Model: example.Model("mock:echo")})
	if err != nil {
		return err
	}
	for i, r := range response.Results {
		fmt.Fprintf(w, "Q: %s\nTool calls: %d\n", requests[i].UserMessage, r.ToolCallsMade)
		for _, call := range r.ToolExecutionHistory {
			fmt.Fprintf(w, "  %s %s -> %s\n", call.ToolName, call.Arguments, call.Result)
		}
		if !r.Success {
			r.Response = r.Error
		}
		fmt.Fprintf(w, "A: %s\n\n", r.Response)
	}
	return nil
}
