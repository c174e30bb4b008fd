// Command retry tries once more what failed and may still succeed: here the mock's server is overloaded at the first
// request for each message. What can't succeed, such as a request without a message, is not tried again.
//
//	go run ./examples/retry
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
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, w io.Writer) error {
	requests := []batch.Request{
		{ID: "fact", UserMessage: "Tell me something about octopuses."},
		{ID: "no-message"},
		{ID: "joke", UserMessage: "Tell me a joke about them."},
	}
	response, err := pipeline.BatchComplete(ctx, requests, &pipeline.Config{
		Model:       example.Model("mock:flaky"),
		RetryFailed: true, // two attempts with up to a second between them; Retry says more
	})
	if err != nil {
		return err
	}
	for _, r := range response.Results {
		outcome := r.Response
		if !r.Success {
			outcome = "failed: " + r.Error
		}
		if r.Metadata["_retried"] == true {
			outcome += fmt.Sprintf(" (retried, %d attempts)", r.Attempts)
		}
		fmt.Fprintf(w, "%s: %s\n", r.ID, outcome)
	}
	return nil
}
