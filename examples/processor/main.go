// Command processor runs several batches with one configuration. They share its connections, and its MaxConcurrent and
// rate limits hold for all of them together.
//
//	go run ./examples/processor
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

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, w io.Writer) error {
	processor, err := pipeline.NewBatchProcessor(&pipeline.Config{
		Model:             example.Model("mock:echo"),
		SystemPrompt:      "You are a helpful assistant. Answer in one sentence.",
		Tools:             []batch.Tool{tool.Calculate()},
		MaxToolIterations: 5,
		MaxConcurrent:     10,
	})
	if err != nil {
		return err
	}
	defer processor.Close()

	for i, requests := range [][]batch.Request{
		{{UserMessage: "What is 12 * 12?"}, {UserMessage: "What is 1000 / 8?"}},
		{{UserMessage: "What is the tallest mountain?"}, {UserMessage: "What is the longest river?"}},
	} {
		response, err := processor.Process(ctx, requests)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "Batch %d: %d of %d succeeded\n", i+1, response.SuccessfulRequests, response.TotalRequests)
		for _, r := range response.Results {
			if r.Success {
				fmt.Fprintf(w, "  %s\n", r.Response)
			} else {
				fmt.Fprintf(w, "  failed: %s\n", r.Error)
			}
		}
	}
	return nil
}
