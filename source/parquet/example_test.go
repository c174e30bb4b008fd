package parquet_test

import (
	"context"
	"fmt"
	"log"

	"github.com/gluepipe/gluepipe/source/parquet"
)

func ExampleOpen() {
	rows, err := parquet.Open("testdata/pyarrow_groups.parquet")
	if err != nil {
		log.Fatal(err)
	}
	defer rows.Close()
	fmt.Println(rows.Len(), "rows of", rows.Columns()[1].Name, rows.Columns()[1].Type)
	for range 2 {
		row, err := rows.Next(context.Background())
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(row.Unit, row.Number, row.Value("text"))
	}
	// Output:
	// 1000 rows of text text
	// row 1 <nil>
	// row 2 row 1
}
