// Command parquet turns a CSV of reviews into a Parquet file: its columns, and beside them what the model says of each row, in
// columns of the schema's types. Given again after an interruption, it asks only for the rows that are missing.
//
//	go run ./examples/parquet [labels.parquet]
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"

	_ "embed"

	"github.com/gluepipe/gluepipe/examples/internal/example"
	"github.com/gluepipe/gluepipe/pipeline"
	"github.com/gluepipe/gluepipe/sink"
	sinkparquet "github.com/gluepipe/gluepipe/sink/parquet"
	"github.com/gluepipe/gluepipe/source"
	sourceparquet "github.com/gluepipe/gluepipe/source/parquet"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// reviews stands for a file: source.OpenCSV reads one.
//
//go:embed reviews.csv
var reviews string

// label is what the model says of a review.
type label struct {
	Sentiment string  `json:"sentiment" jsonschema:"enum=positive,enum=negative,enum=neutral"`
	Score     float64 `json:"score" jsonschema_description:"From 0, furious, to 1, delighted"`
	Urgent    bool    `json:"urgent"`
}

func main() {
	do := run
	if len(os.Args) > 1 {
		do = func(ctx context.Context, w io.Writer) error { return labelReviews(ctx, w, os.Args[1]) }
	}
	if err := do(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// run shows it with a file that nobody keeps.
func run(ctx context.Context, w io.Writer) error {
	dir, err := os.MkdirTemp("", "gluepipe-example-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // it is a temporary one
	return labelReviews(ctx, w, filepath.Join(dir, "labels.parquet"))
}

func labelReviews(ctx context.Context, w io.Writer, path string) error {
	schema := pipeline.Structured[label]()
	processor, err := pipeline.NewBatchProcessor(&pipeline.Config{Model: example.Model("mock:echo"), Schema: schema, Ordered: true})
	if err != nil {
		return err
	}
	defer processor.Close()

	rows, err := source.CSV(strings.NewReader(reviews), source.CSVOptions{})
	if err != nil {
		return err
	}
	requests, err := source.Rows(rows, source.RowOptions{Prompt: "Judge this review: {{.review}}", IDColumn: "id"})
	if err != nil {
		return err
	}
	labels, err := openLabels(path, rows.Columns(), schema) //nolint:contextcheck // opening takes none
	if err != nil {
		return err
	}
	// Run closes both.
	summary, err := processor.Run(ctx, requests, labels)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%d of %d rows have a label in %s\n", summary.SuccessfulRequests, summary.TotalRequests, filepath.Base(path))
	return show(ctx, w, path)
}

// openLabels opens a table with the columns of the rows and of the answers.
func openLabels(path string, columns []batch.Column, schema json.RawMessage) (*sinkparquet.File, error) {
	answer, err := sink.SchemaColumns(schema)
	if err != nil {
		return nil, err
	}
	table, err := sink.NewTable(sink.TableOptions{Row: columns, Answer: answer})
	if err != nil {
		return nil, err
	}
	return sinkparquet.Open(path, sinkparquet.Options{Table: table})
}

// show reads the labels again.
func show(ctx context.Context, w io.Writer, path string) error {
	rows, err := sourceparquet.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // nothing is written to it
	for {
		row, err := rows.Next(ctx)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%v: %v %v (urgent: %v)\n", row.Value("id"), row.Value("sentiment"), row.Value("score"), row.Value("urgent"))
	}
}
