package source_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/stages/batch"
)

func ExampleSlice() {
	show(source.Slice([]batch.Request{{UserMessage: "What is 2+2?"}, {UserMessage: "Name a colour."}}))
	// Output:
	// request 1: What is 2+2?
	// request 2: Name a colour.
}

func ExampleSeq() {
	show(source.Seq(func(yield func(batch.Request, error) bool) {
		for _, city := range []string{"Paris", "Rome"} {
			if !yield(batch.Request{UserMessage: "Describe " + city + "."}, nil) {
				return
			}
		}
	}))
	// Output:
	// request 1: Describe Paris.
	// request 2: Describe Rome.
}

func ExampleChan() {
	requests := make(chan batch.Request, 1)
	requests <- batch.Request{UserMessage: "What is 2+2?"}
	close(requests)
	show(source.Chan(requests))
	// Output: request 1: What is 2+2?
}

func ExampleJSONL() {
	show(source.JSONL(strings.NewReader(`
{"id": "sum", "user_message": "What is 2+2?"}
{"user_message": "Name a colour.", "timeout": "soon"}
`)))
	// Output:
	// line 2: What is 2+2?
	// failed: line 3: field "timeout": want a number of seconds, got "soon"
}

func ExampleOpenJSONL() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "requests.jsonl")
	if err := os.WriteFile(path, []byte(`{"user_message": "What is 2+2?"}`), 0o600); err != nil {
		log.Fatal(err)
	}
	src, err := source.OpenJSONL(path)
	if err != nil {
		log.Fatal(err)
	}
	show(src)
	// Output: line 1: What is 2+2?
}

// show does what the engine does with a source.
func show(src batch.Source) {
	defer func() { _ = src.Close() }()
	for {
		item, err := src.Next(context.Background())
		switch {
		case err == io.EOF:
			return
		case err != nil:
			log.Fatal(err)
		case item.Result != nil:
			fmt.Println("failed:", item.Result.Error)
		default:
			fmt.Printf("%s: %s\n", item.Origin, item.Request.UserMessage)
		}
	}
}
