// Command classify is one step of an existing pipeline of channels: reviews come in, the model puts each into a struct, and
// labelled reviews go on. The struct's schema is what the model is asked for, and its answers are checked against it.
//
//	go run ./examples/classify
package main

import (
	"context"
	"encoding/json"
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

// review is what the pipeline had before.
type review struct {
	Number int
	Text   string
}

// label is what the model adds.
type label struct {
	Sentiment string `json:"sentiment" jsonschema:"enum=positive,enum=negative,enum=neutral"`
	Topic     string `json:"topic" jsonschema_description:"What the review is about, in one or two words"`
	Urgent    bool   `json:"urgent"`
}

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, w io.Writer) error {
	processor, err := pipeline.NewBatchProcessor(&pipeline.Config{
		Model:        example.Model("mock:echo"),
		SystemPrompt: "Label the customer's review.",
		Schema:       pipeline.Structured[label](),
	})
	if err != nil {
		return err
	}
	defer processor.Close()

	ctx, cancel := context.WithCancel(ctx)
	var before sync.WaitGroup
	defer before.Wait()
	defer cancel() // what comes before ends where nobody takes its reviews any more
	reviews := make(chan review)
	before.Go(func() { read(ctx, reviews) })

	requests := make(chan batch.Request)
	before.Go(func() { ask(ctx, reviews, requests) })
	for r, err := range processor.Stream(ctx, source.Chan(requests)) {
		if err != nil {
			return err
		}
		file(w, r)
	}
	return nil
}

// read is the stage before. It stands for a queue, a database, or a directory that is watched.
func read(ctx context.Context, reviews chan<- review) {
	defer close(reviews)
	for number, text := range []string{"The tent leaks!", "Light, and up in two minutes.", "Arrived late."} {
		select {
		case reviews <- review{number + 1, text}:
		case <-ctx.Done():
			return
		}
	}
}

// ask turns reviews into requests. What the stage after needs of a review goes along as metadata.
func ask(ctx context.Context, reviews <-chan review, requests chan<- batch.Request) {
	defer close(requests)
	for r := range reviews {
		request := batch.Request{UserMessage: r.Text, Metadata: map[string]any{"review": r.Number}}
		select {
		case requests <- request:
		case <-ctx.Done():
			return
		}
	}
}

// file is the stage after.
func file(w io.Writer, r *batch.Result) {
	if !r.Success {
		fmt.Fprintf(w, "review %v goes to a person: %s\n", r.Metadata["review"], r.Error)
		return
	}
	var l label
	if err := json.Unmarshal(r.StructuredOutput, &l); err != nil { // it has been checked: this can't be
		fmt.Fprintf(w, "review %v: %v\n", r.Metadata["review"], err)
		return
	}
	fmt.Fprintf(w, "review %v is %s, about %q (urgent: %t)\n", r.Metadata["review"], l.Sentiment, l.Topic, l.Urgent)
}
