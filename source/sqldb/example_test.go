package sqldb_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"

	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/source/sqldb"
)

func ExampleQuery() {
	ctx := context.Background()
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	rows, err := sqldb.Query(ctx, db, `SELECT 7 AS id, 'The tent leaks!' AS review WHERE 7 > ?`, 5)
	if err != nil {
		log.Fatal(err)
	}
	requests, err := source.Rows(rows, source.RowOptions{Prompt: "Judge this: {{.review}}", IDColumn: "id"})
	if err != nil {
		log.Fatal(err)
	}
	defer requests.Close()
	item, err := requests.Next(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(item.Request.ID, item.Request.UserMessage)
	// Output: 7 Judge this: The tent leaks!
}
