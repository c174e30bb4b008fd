// Command concurrency runs the same requests with more and more of them in flight, and measures what that gains: the time
// that the requests took, all added up, divided by the time that passed.
//
//	go run ./examples/concurrency
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
	requests := make([]batch.Request, 20)
	for i := range requests {
		requests[i].UserMessage = fmt.Sprintf("Is %d a prime number? Answer yes or no.", 101+2*i)
	}
	model := example.Model("mock:echo?latency=200ms")
	for _, maxConcurrent := range []int{3, 10, 20} { // careful, balanced, as fast as the limits of the provider allow
		response, err := pipeline.BatchComplete(ctx, requests, &pipeline.Config{Model: model, MaxConcurrent: maxConcurrent})
		if err != nil {
			return err
		}
		wall, total := response.WallTime.Seconds(), response.TotalElapsedTime.Seconds()
		fmt.Fprintf(w, "At most %d at once: %d of %d succeeded\n", maxConcurrent,
			response.SuccessfulRequests, response.TotalRequests)
		fmt.Fprintf(w, "  Wall time:             %.2fs\n", wall)
		fmt.Fprintf(w, "  Total processing time: %.2fs\n", total)
		fmt.Fprintf(w, "  Concurrency benefit:   %.1fx\n", total/wall)
	}
	return nil
}
