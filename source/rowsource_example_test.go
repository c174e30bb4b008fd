package source_test

import (
	"errors"
	"fmt"
	"log"
	"strings"

	"github.com/gluepipe/gluepipe/source"
)

const reviews = `id,review,stars
r1,"Arrived late, works well",4
r2,Broke on the first day,1
r3,,5
`

func ExampleRows() {
	rows, err := source.CSV(strings.NewReader(reviews), source.CSVOptions{})
	if err != nil {
		log.Fatal(err)
	}
	src, err := source.Rows(rows, source.RowOptions{
		Prompt:   `{{with .review}}Sort {{json .}}{{if lt $.stars 3}} (be kind){{end}}{{end}}`,
		IDColumn: "id",
	})
	if err != nil {
		log.Fatal(err)
	}
	show(src)
	// Output:
	// line 2: Sort "Arrived late, works well"
	// line 3: Sort "Broke on the first day" (be kind)
	// failed: line 4: the prompt is empty
}

func ExampleColumnError() {
	rows, err := source.CSV(strings.NewReader(reviews), source.CSVOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer rows.Close()
	_, err = source.Rows(rows, source.RowOptions{Prompt: "Sort {{.reviw}}"})
	fmt.Println(err)
	if wrong, ok := errors.AsType[*source.ColumnError](err); ok {
		fmt.Println(wrong.Option, wrong.Column, wrong.Columns)
	}
	// Output:
	// prompt: no column "reviw": the columns are id, review, stars
	// Prompt reviw [id review stars]
}

func ExamplePromptColumns() {
	columns, err := source.PromptColumns(`{{.name}} lives in {{index . "home town"}}.`)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%q\n", columns)
	// Output: ["name" "home town"]
}
