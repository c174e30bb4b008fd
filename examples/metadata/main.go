// Command metadata gives requests ids and metadata, and finds both again in their results. A request without an id is
// given one. At the end it prints what the whole batch took.
//
//	go run ./examples/metadata
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"time"

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
		{
			ID:          "user-123-req-1",
			UserMessage: "Where is my parcel?",
			Metadata:    map[string]any{"user_id": "123", "priority": "high", "order": 20417},
		},
		{
			ID:          "user-456-req-1",
			UserMessage: "How do I return a pair of shoes?",
			Metadata:    map[string]any{"user_id": "456", "priority": "low", "order": 20398},
		},
		{
			UserMessage: "Do you ship to Norway?",
			Metadata:    map[string]any{"user_id": "789", "priority": "low", "order": 20433},
		},
	}
	response, err := pipeline.BatchComplete(ctx, requests, &pipeline.Config{Model: example.Model("mock:echo")})
	if err != nil {
		return err
	}
	for _, r := range response.Results {
		fmt.Fprintf(w, "%s: user %v, priority %v, order %v\n", r.ID,
			r.Metadata["user_id"], r.Metadata["priority"], r.Metadata["order"])
		if r.Success {
			fmt.Fprintf(w, "  %s\n", r.Response)
		} else {
			fmt.Fprintf(w, "  %s: %s\n", r.ErrorType, r.Error)
		}
	}
	fmt.Fprintf(w, "\n%d of %d requests succeeded in %v\n", response.SuccessfulRequests, response.TotalRequests,
		response.WallTime.Round(time.Millisecond))
	if tokens := response.TotalTokensUsed; tokens != nil {
		fmt.Fprintf(w, "%d tokens: %d for the prompts, %d for the answers\n", tokens.Total, tokens.Prompt, tokens.Completion)
	}
	return nil
}
