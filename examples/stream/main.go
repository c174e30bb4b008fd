// Command stream puts the model into the middle of a Go pipeline that is made of channels: tickets come from the stage
// before, and each answer goes on to the stage after as soon as it is there. A slow stage slows down those before it.
//
//	go run ./examples/stream
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"sync"

	"github.com/gluepipe/gluepipe/examples/internal/example"
	"github.com/gluepipe/gluepipe/pipeline"
	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/stages/batch"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, w io.Writer) error {
	processor, err := pipeline.NewBatchProcessor(&pipeline.Config{
		Model:        example.Model("mock:echo"),
		SystemPrompt: "Summarize the ticket in five words.",
	})
	if err != nil {
		return err
	}
	defer processor.Close()

	tickets := make(chan batch.Request)
	answers := make(chan *batch.Result)
	var stages sync.WaitGroup
	defer stages.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // if the stream breaks, nobody receives from read any more
	stages.Go(func() { read(ctx, tickets) })
	stages.Go(func() { file(w, answers) })
	defer close(answers)

	for result, err := range processor.Stream(ctx, source.Chan(tickets)) {
		if err != nil {
			return err
		}
		answers <- result
	}
	return nil
}

// read is the stage before. It stands for a queue, a database, or a directory that is watched.
func read(ctx context.Context, tickets chan<- batch.Request) {
	defer close(tickets)
	for number, text := range []string{"I can't log in.", "My invoice is wrong.", "The parcel is late.", "I love it!"} {
		ticket := batch.Request{UserMessage: text, Metadata: map[string]any{"ticket": 7001 + number}}
		select {
		case tickets <- ticket:
		case <-ctx.Done():
			return
		}
	}
}

// file is the stage after.
func file(w io.Writer, answers <-chan *batch.Result) {
	for r := range answers {
		if r.Success {
			fmt.Fprintf(w, "ticket %v: %s\n", r.Metadata["ticket"], r.Response)
		} else {
			fmt.Fprintf(w, "ticket %v goes to a person: %s\n", r.Metadata["ticket"], r.Error)
		}
	}
}
