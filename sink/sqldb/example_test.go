package sqldb_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/sink/sqldb"
	"github.com/gluepipe/gluepipe/stages/batch"
)

func ExampleOpen() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	db, err := sql.Open("sqlite", sqldb.SQLiteDSN(filepath.Join(dir, "answers.db")))
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	table, err := sink.NewTable(sink.TableOptions{})
	if err != nil {
		log.Fatal(err)
	}
	options := sqldb.Options{Dialect: sqldb.SQLite, Name: "answers", Table: table}
	for range 2 { // the second time it finds what the first has written
		out, err := sqldb.Open(ctx, db, options)
		if err != nil {
			log.Fatal(err)
		}
		done, _ := out.Done("r1", "")
		fmt.Println(done)
		if err := out.Write(ctx, []*batch.Result{{ID: "r1", Success: true, Response: "42"}}); err != nil {
			log.Fatal(err)
		}
		if err := out.Close(ctx); err != nil {
			log.Fatal(err)
		}
	}
	var answer string
	if err := db.QueryRowContext(ctx, `SELECT response FROM answers`).Scan(&answer); err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer)
	// Output:
	// false
	// true
	// 42
}

func ExampleSQLiteDSN() {
	fmt.Println(sqldb.SQLiteDSN("data/answers.db"))
	// Output: file:data/answers.db?_pragma=busy_timeout%2810000%29&_pragma=journal_mode%28WAL%29
}
