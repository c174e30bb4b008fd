package source_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/gluepipe/gluepipe/source"
)

func ExampleBatch() {
	file := `{"custom_id": "r1", "method": "POST", "url": "/v1/chat/completions", "body":
		{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}], "temperature": 0}}`
	src := source.Batch(strings.NewReader(strings.ReplaceAll(file, "\n", "")), source.BatchOptions{Provider: "openai"})
	item, err := src.Next(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	r := item.Request
	fmt.Printf("%s asks %s: %s, temperature %s\n", r.ID, r.Model, r.Messages[0].Text(), r.Params["temperature"])
	// Output: r1 asks openai:gpt-4o-mini: Hi, temperature 0
}

func ExampleOpenBatch() {
	_, err := source.OpenBatch("no-such-file.jsonl.gz", source.BatchOptions{})
	fmt.Println(err)
	// Output: open no-such-file.jsonl.gz: no such file or directory
}

func ExampleIsBatchLine() {
	fmt.Println(source.IsBatchLine([]byte(`{"custom_id": "r1", "url": "/v1/embeddings", "body": {"input": "Hi"}}`)))
	fmt.Println(source.IsBatchLine([]byte(`{"id": "r1", "user_message": "Hi"}`)))
	// Output:
	// true
	// false
}

func ExampleDecompress() {
	var file bytes.Buffer
	w := gzip.NewWriter(&file)
	fmt.Fprintln(w, "compressed")
	_ = w.Close()
	for _, r := range []io.Reader{&file, strings.NewReader("as it is\n")} {
		text, err := io.ReadAll(source.Decompress(r))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(string(text))
	}
	// Output:
	// compressed
	// as it is
}

func ExampleOpen() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "requests.jsonl")
	if err := os.WriteFile(path, []byte("{}\n"), 0o600); err != nil {
		log.Fatal(err)
	}
	file, err := source.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	text, err := io.ReadAll(file)
	fmt.Printf("%q %v\n", text, err)
	// Output: "{}\n" <nil>
}
