package source_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/gluepipe/gluepipe/source"
)

func ExampleCSV() {
	rows, err := source.CSV(strings.NewReader(`id;review
1;"Good; I would buy it again."
2;The "best" of all.
3;Too small.
`), source.CSVOptions{})
	if err != nil {
		log.Fatal(err)
	}
	showRows(rows, "review")
	// Output:
	// line 2: Good; I would buy it again.
	// failed: line 3, column 7: a quote in a field that doesn't begin with one
	// line 4: Too small.
}

func ExampleObjects() {
	showRows(source.Objects(strings.NewReader(`{"id": 1, "review": "Good."}
{"id": 2, "stars": 3, "review": "Too small."}
`), source.ObjectsOptions{}), "review")
	// Output:
	// line 1: Good.
	// line 2: Too small.
}

func ExampleArray() {
	showRows(source.Array(strings.NewReader(`[{"review": "Good."}, "Too small.", {"review": "Fine."}]`), source.ArrayOptions{}), "review")
	// Output:
	// row 1: Good.
	// failed: row 2: want a JSON object, got "Too small."
	// row 3: Fine.
}

func ExampleLines() {
	showRows(source.Lines(strings.NewReader("What is 2+2?\n\nName a colour.\n"), source.LinesOptions{}), "text")
	// Output:
	// line 1: What is 2+2?
	// line 3: Name a colour.
}

func ExampleGlob() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.WriteFile(filepath.Join(dir, "a.txt"), []byte("Summarise me."), 0o600); err != nil {
		log.Fatal(err)
	}
	rows, err := source.Glob(dir+"/**/*.txt", source.GlobOptions{Text: true})
	if err != nil {
		log.Fatal(err)
	}
	showRows(rows, "text")
	// Output: row 1: Summarise me.
}

func ExampleJSONArray() {
	show(source.JSONArray(strings.NewReader(`[{"user_message": "What is 2+2?"}, {"user_message": "Name a colour."}]`), source.ArrayOptions{}))
	// Output:
	// row 1: What is 2+2?
	// row 2: Name a colour.
}

// showRows prints a column, as whoever reads rows does.
func showRows(rows source.RowReader, column string) {
	defer func() { _ = rows.Close() }()
	for {
		row, err := rows.Next(context.Background())
		bad, isBad := errors.AsType[*source.RowError](err)
		switch {
		case err == io.EOF:
			return
		case isBad:
			fmt.Println("failed:", bad)
		case err != nil:
			log.Fatal(err)
		default:
			fmt.Printf("%s %d: %v\n", row.Unit, row.Number, row.Value(column))
		}
	}
}
