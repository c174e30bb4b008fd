package parquet_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/sink/parquet"
	"github.com/gluepipe/gluepipe/stages/batch"
)

func ExampleOpen() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	table, err := sink.NewTable(sink.TableOptions{Row: []batch.Column{{Name: "city"}}})
	if err != nil {
		log.Fatal(err)
	}
	for _, city := range []string{"Lima", "Oslo"} { // the second run continues the file of the first
		out, err := parquet.Open(filepath.Join(dir, "answers.parquet"), parquet.Options{Table: table})
		if err != nil {
			log.Fatal(err)
		}
		row := &batch.Row{Columns: []batch.Column{{Name: "city"}}, Values: []any{city}}
		result := &batch.Result{ID: city, Success: true, Response: "a city", Row: row}
		fmt.Println("had", out.Earlier().TotalRequests)
		if err := out.Write(context.Background(), []*batch.Result{result}); err != nil {
			log.Fatal(err)
		}
		if err := out.Close(context.Background()); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// had 0
	// had 1
}
