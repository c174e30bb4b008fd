// Command strategies runs the same requests under each of the three error strategies. One of the requests has no message,
// so it fails with every provider, and before it costs anything.
//
//	go run ./examples/strategies
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/gluepipe/gluepipe/examples/internal/example"
	"github.com/gluepipe/gluepipe/pipeline"
	"github.com/gluepipe/gluepipe/stages/batch"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, w io.Writer) error {
	requests := []batch.Request{
		{ID: "france", UserMessage: "What is the capital of France?"},
		{ID: "nowhere", UserMessage: ""},
		{ID: "japan", UserMessage: "What is the capital of Japan?"},
	}
	model := example.Model("mock:echo")
	for _, strategy := range []batch.ErrorStrategy{batch.Continue, batch.Skip, batch.FailFast} {
		response, err := pipeline.BatchComplete(ctx, requests, &pipeline.Config{Model: model, ErrorStrategy: strategy})
		fmt.Fprintf(w, "%v:\n", strategy)
		if failed, ok := errors.AsType[*batch.RequestError](err); ok {
			// Only fail_fast comes here. The response has what had become of the other requests by then.
			fmt.Fprintf(w, "  the run ended at request %q: %v\n", failed.ID, failed.Err)
			continue
		}
		if err != nil {
			return err
		}
		for _, r := range response.Results {
			if r.Success {
				fmt.Fprintf(w, "  ✓ %s: %s\n", r.ID, r.Response)
			} else {
				fmt.Fprintf(w, "  ✗ %s: %s: %s\n", r.ID, r.ErrorType, r.Error)
			}
		}
		fmt.Fprintf(w, "  %d of %d requests failed\n", response.FailedRequests, response.TotalRequests)
	}
	return nil
}
