// Command stage puts stages of its own into the pipeline: before the model is asked, one answers from a cache and one adds
// what the handbook says; after it, one fills the cache. The second batch finds a question of the first there.
//
//	go run ./examples/stage
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/gluepipe/gluepipe/examples/internal/example"
	"github.com/gluepipe/gluepipe/pipeline"
	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, w io.Writer) error {
	var known cache
	processor, err := pipeline.NewBatchProcessor(&pipeline.Config{
		Model:         example.Model("mock:echo"),
		BeforeExecute: []batch.Stage{stages.Map(1, known.answer), stages.Map(4, addRules)}, // 4 items at once
		AfterExecute:  []batch.Stage{stages.MapResults(1, known.keep)},
	})
	if err != nil {
		return err
	}
	defer processor.Close()

	for _, requests := range [][]batch.Request{
		{{UserMessage: "When do I get my refund?"}, {UserMessage: "Are you open on Sundays?"}},
		{{UserMessage: "Do you ship to Japan?"}, {UserMessage: "When do I get my refund?"}},
	} {
		response, err := processor.Process(ctx, requests)
		if err != nil {
			return err
		}
		for i, r := range response.Results {
			if !r.Success {
				r.Response = r.Error
			}
			fmt.Fprintf(w, "Q: %s\nA: %s\n", requests[i].UserMessage, r.Response)
			if r.Metadata["cached"] == true {
				fmt.Fprintln(w, "   (from the cache)")
			}
		}
	}
	return nil
}
