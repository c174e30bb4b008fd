// Command simple asks a few questions side by side and prints their answers in order: one text for each message, and
// "Error: ..." for one that failed.
//
//	go run ./examples/simple
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/gluepipe/gluepipe/examples/internal/example"
	"github.com/gluepipe/gluepipe/pipeline"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, w io.Writer) error {
	questions := []string{
		"What is 2+2?",
		"What is the capital of France?",
		"Explain quantum computing briefly.",
	}
	answers, err := pipeline.BatchCompleteSimple(ctx, questions, &pipeline.Config{Model: example.Model("mock:echo")})
	if err != nil {
		return err
	}
	for i, question := range questions {
		fmt.Fprintf(w, "Q: %s\nA: %s\n\n", question, answers[i])
	}
	return nil
}
