// Command mcp lets the model call the tools of an MCP server: get_weather and calculate of the package beside this file.
// The requests are those of examples/data/mcp.jsonl, however the server is reached:
//
//	go run ./examples/mcp                     # in this process
//	go run ./examples/mcp -transport stdio    # as a program that this one starts: itself, with the argument serve
//	go run ./examples/mcp -transport http     # over streamable HTTP, on this machine
//
// The server is of use by itself, too: anything that speaks MCP can start it by `go run ./examples/mcp serve`.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/gluepipe/gluepipe/examples/data"
	"github.com/gluepipe/gluepipe/examples/internal/example"
	"github.com/gluepipe/gluepipe/examples/mcp/weather"
	"github.com/gluepipe/gluepipe/pipeline"
	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/tool/mcp"
)

func main() {
	transport := flag.String("transport", "in-process", "how the server is reached: in-process, stdio or http")
	flag.Parse()
	ctx := context.Background()
	if flag.Arg(0) == "serve" {
		if err := weather.NewServer().Run(ctx, &sdk.StdioTransport{}); err != nil {
			log.Fatal(err)
		}
		return
	}
	if err := run(ctx, os.Stdout, *transport); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, w io.Writer, transport string) (err error) {
	server, stop, err := reach(transport)
	if err != nil {
		return err
	}
	defer stop()
	servers, err := mcp.Connect(ctx, server)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, servers.Close(ctx)) }()

	processor, err := pipeline.NewBatchProcessor(&pipeline.Config{
		Model:   example.Model("mock:echo"),
		Tools:   servers.Tools(),
		Ordered: true,
	})
	if err != nil {
		return err
	}
	defer processor.Close()
	for result, err := range processor.Stream(ctx, source.JSONL(bytes.NewReader(data.MCP))) {
		if err != nil {
			return err
		}
		show(w, result)
	}
	return nil
}

func show(w io.Writer, r *batch.Result) {
	if r.Request != nil { // a line that can't be read has none
		fmt.Fprintf(w, "Q: %s\n", r.Request.UserMessage)
	}
	for _, call := range r.ToolExecutionHistory {
		fmt.Fprintf(w, "  turn %d, server %s: %s %s -> %s\n", call.Turn, call.Server, call.ToolName, call.Arguments, call.Result)
	}
	if !r.Success {
		r.Response = r.Error
	}
	fmt.Fprintf(w, "A: %s\n\n", r.Response)
}
