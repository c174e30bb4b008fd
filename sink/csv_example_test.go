package sink_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// classified are results of requests that were made from rows.
func classified(columns []batch.Column) []*batch.Result {
	return []*batch.Result{{
		ID: "row-1", Success: true, Attempts: 1, Model: "echo",
		StructuredOutput: json.RawMessage(`{"mood":"good","score":0.9}`),
		Row:              &batch.Row{Columns: columns, Values: []any{"Great, really"}},
	}}
}

func ExampleNewTable() {
	answer, err := sink.SchemaColumns(json.RawMessage(
		`{"type":"object","properties":{"mood":{"type":"string"},"id":{"type":"integer"}}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	table, err := sink.NewTable(sink.TableOptions{Row: []batch.Column{{Name: "review"}}, Answer: answer})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, column := range table.Columns()[:6] {
		fmt.Println(column.Name, column.Type)
	}
	fmt.Println(table.ID(), table.Success(), table.Fingerprint())
	// Output:
	// review text
	// mood text
	// id int
	// response text
	// gluepipe_id text
	// success bool
	// gluepipe_id success fingerprint
}

func ExampleTable_AppendValues() {
	table, err := sink.NewTable(sink.TableOptions{
		Row:    []batch.Column{{Name: "review"}},
		Answer: []batch.Column{{Name: "mood"}, {Name: "score", Type: batch.FloatColumn}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	values, err := table.AppendValues(nil, classified(table.Columns()[:1])[0])
	fmt.Println(values[:5], err)
	// Output: [Great, really good 0.9 <nil> row-1] <nil>
}

func ExampleSchemaColumns() {
	columns, err := sink.SchemaColumns(json.RawMessage(`{
		"type": "object",
		"properties": {
			"mood": {"enum": ["good", "bad"]},
			"score": {"anyOf": [{"type": "number"}, {"type": "null"}]},
			"tags": {"type": "array", "items": {"type": "string"}}
		}
	}`))
	fmt.Println(columns, err)
	// Output: [{mood text} {score float} {tags json}] <nil>
}

func ExampleReadRecord() {
	// The values that a database has in the columns of Table.RecordColumns.
	r, err := sink.ReadRecord([]any{"row-1", true, nil, int64(5), int64(7), int64(12), nil, 0.5, "v1:1c8f"})
	fmt.Println(r.ID, r.Success, r.TokensUsed.Total, r.ElapsedTime, r.Fingerprint, err)
	// Output: row-1 true 12 500ms v1:1c8f <nil>
}

func ExampleCSV() {
	table, err := sink.NewTable(sink.TableOptions{
		Row:    []batch.Column{{Name: "review"}},
		Answer: []batch.Column{{Name: "mood"}, {Name: "score", Type: batch.FloatColumn}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	var out strings.Builder
	ctx := context.Background()
	csv := sink.CSV(&out, table, 0)
	if err := csv.Write(ctx, classified(table.Columns()[:1])); err != nil {
		fmt.Println(err)
	}
	if err := csv.Close(ctx); err != nil {
		fmt.Println(err)
	}
	for line := range strings.Lines(out.String()) {
		fmt.Println(line[:33])
	}
	// Output:
	// review,mood,score,response,id,suc
	// "Great, really",good,0.9,,row-1,t
}

func ExampleOpenCSV() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "results.csv")
	ctx := context.Background()
	for range 2 { // the second run finds what the first has done
		file, err := sink.OpenCSV(path, sink.CSVOptions{})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("earlier:", file.Earlier().TotalRequests)
		if err := file.Write(ctx, classified(nil)); err != nil {
			fmt.Println(err)
		}
		if err := file.Close(ctx); err != nil {
			fmt.Println(err)
		}
	}
	records, err := sink.ReadCSVRecords(path, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("records:", records.Earlier().TotalRequests)
	// Output:
	// earlier: 0
	// earlier: 1
	// records: 2
}
