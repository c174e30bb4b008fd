// Command postgres puts a label on each row of a table, into another table of the same database: the row's columns, and
// beside them what the model says of it. Given again, it asks only for the rows that have none yet.
//
// It takes the Postgres database of GLUEPIPE_TEST_POSTGRES or DATABASE_URL, and makes the tables gluepipe_example_reviews and
// gluepipe_example_labels there. Without either it does the same in a SQLite file that nobody keeps.
//
//	DATABASE_URL=postgres://localhost/shop go run ./examples/postgres
package main

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/gluepipe/gluepipe/examples/internal/example"
	"github.com/gluepipe/gluepipe/pipeline"
	"github.com/gluepipe/gluepipe/sink"
	sinkdb "github.com/gluepipe/gluepipe/sink/sqldb"
	"github.com/gluepipe/gluepipe/source"
	sourcedb "github.com/gluepipe/gluepipe/source/sqldb"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// label is what the model says of a review.
type label struct {
	Sentiment string `json:"sentiment" jsonschema:"enum=positive,enum=negative,enum=neutral"`
	Urgent    bool   `json:"urgent"`
}

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, w io.Writer) error {
	if address := cmp.Or(os.Getenv("GLUEPIPE_TEST_POSTGRES"), os.Getenv("DATABASE_URL")); address != "" {
		return labelReviews(ctx, w, sinkdb.Postgres, "pgx", address)
	}
	fmt.Fprintln(w, "no DATABASE_URL of a Postgres: this is SQLite")
	dir, err := os.MkdirTemp("", "gluepipe-example-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	return labelReviews(ctx, w, sinkdb.SQLite, "sqlite", sinkdb.SQLiteDSN(filepath.Join(dir, "shop.db")))
}

func labelReviews(ctx context.Context, w io.Writer, dialect sinkdb.Dialect, driver, address string) error {
	db, err := sql.Open(driver, address)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	if err := fill(ctx, db); err != nil {
		return err
	}
	schema := pipeline.Structured[label]()
	processor, err := pipeline.NewBatchProcessor(&pipeline.Config{Model: example.Model("mock:echo"), Schema: schema})
	if err != nil {
		return err
	}
	defer processor.Close()

	rows, err := sourcedb.Query(ctx, db, `SELECT id, body, written FROM gluepipe_example_reviews ORDER BY id`)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	requests, err := source.Rows(rows, source.RowOptions{Prompt: "Judge this review: {{.body}}", IDColumn: "id"})
	if err != nil {
		return err
	}
	labels, err := openLabels(ctx, db, dialect, rows.Columns(), schema)
	if err != nil {
		return err
	}
	// Run closes both.
	summary, err := processor.Run(ctx, requests, labels)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%d of %d reviews have a label, %d of them from an earlier run\n", summary.SuccessfulRequests,
		summary.TotalRequests, labels.Earlier().SuccessfulRequests)
	return show(ctx, w, db)
}

// fill makes the table of reviews, unless it is there.
func fill(ctx context.Context, db *sql.DB) error {
	for _, statement := range []string{
		`CREATE TABLE IF NOT EXISTS gluepipe_example_reviews (id bigint PRIMARY KEY, body text, written timestamp)`,
		`INSERT INTO gluepipe_example_reviews VALUES
			(1, 'The tent leaks!', '2026-03-01 08:00:00'),
			(2, 'Light, and up in two minutes.', '2026-03-02 09:30:00'),
			(3, 'Arrived late; it''s fine otherwise.', NULL)
			ON CONFLICT DO NOTHING`,
	} {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// openLabels opens a table with the columns of the rows and of the answers.
func openLabels(
	ctx context.Context, db *sql.DB, dialect sinkdb.Dialect, columns []batch.Column, schema json.RawMessage,
) (*sinkdb.Output, error) {
	answer, err := sink.SchemaColumns(schema)
	if err != nil {
		return nil, err
	}
	table, err := sink.NewTable(sink.TableOptions{Row: columns, Answer: answer})
	if err != nil {
		return nil, err
	}
	return sinkdb.Open(ctx, db, sinkdb.Options{Dialect: dialect, Name: "gluepipe_example_labels", Table: table})
}

func show(ctx context.Context, w io.Writer, db *sql.DB) error {
	rows, err := db.QueryContext(ctx, `SELECT id, body, sentiment, urgent FROM gluepipe_example_labels ORDER BY id`)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id int
		var body string
		var l label
		if err := rows.Scan(&id, &body, &l.Sentiment, &l.Urgent); err != nil {
			return err
		}
		fmt.Fprintf(w, "%d: %s (urgent: %t) %s\n", id, l.Sentiment, l.Urgent, body)
	}
	return rows.Err()
}
