package pipeline_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/gluepipe/gluepipe/pipeline"
	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/tool"
)

// The model of all examples answers with the question, on this machine.
const model = "mock:echo"

func ExampleBatchCompleteSimple() {
	answers, err := pipeline.BatchCompleteSimple(context.Background(),
		[]string{"What is 2+2?", ""}, &pipeline.Config{Model: model})
	if err != nil {
		log.Fatal(err)
	}
	for _, answer := range answers {
		fmt.Println(answer)
	}
	// Output:
	// What is 2+2?
	// Error: request 2: field "user_message" is missing
}

func ExampleBatchComplete() {
	response, err := pipeline.BatchComplete(context.Background(), []batch.Request{
		{ID: "req-1", UserMessage: "What is 2+2?", Metadata: map[string]any{"category": "math"}},
		{ID: "req-2", UserMessage: "Calculate 123 * 456", Tools: []batch.Tool{tool.Calculate()}},
	}, &pipeline.Config{Model: model, MaxConcurrent: 10})
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range response.Results {
		fmt.Println(r.ID, r.Response, r.ToolCallsMade, r.Metadata)
	}
	fmt.Println(response.SuccessfulRequests, "of", response.TotalRequests)
	// Output:
	// req-1 What is 2+2? 0 map[category:math]
	// req-2 56088 1 map[]
	// 2 of 2
}

func ExampleNewBatchProcessor() {
	_, err := pipeline.NewBatchProcessor(&pipeline.Config{Model: model, MaxConcurrent: -1})
	fmt.Println(err)
	// Output: config: MaxConcurrent: want 1 or more
}

func ExampleBatchProcessor_Process() {
	processor, err := pipeline.NewBatchProcessor(&pipeline.Config{Model: model, ErrorStrategy: batch.FailFast})
	if err != nil {
		log.Fatal(err)
	}
	defer processor.Close()
	_, err = processor.Process(context.Background(), []batch.Request{{ID: "empty"}})
	if failure, ok := errors.AsType[*batch.RequestError](err); ok {
		fmt.Println(failure.ID, batch.KindOf(err))
	}
	// Output: empty InvalidRequestError
}

func ExampleBatchProcessor_Stream() {
	processor, err := pipeline.NewBatchProcessor(&pipeline.Config{Model: model, Ordered: true})
	if err != nil {
		log.Fatal(err)
	}
	defer processor.Close()
	requests := make(chan batch.Request)
	go func() {
		defer close(requests)
		for _, question := range []string{"one", "two", "three"} {
			requests <- batch.Request{UserMessage: question}
		}
	}()
	for result, err := range processor.Stream(context.Background(), source.Chan(requests)) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(result.Response)
	}
	// Output:
	// one
	// two
	// three
}

func ExampleBatchProcessor_Run() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	processor, err := pipeline.NewBatchProcessor(&pipeline.Config{Model: model})
	if err != nil {
		log.Fatal(err)
	}
	defer processor.Close()
	// The second run finds the first one's result in the file, and does the rest.
	for _, requests := range [][]batch.Request{
		{{ID: "a", UserMessage: "one"}},
		{{ID: "a", UserMessage: "one"}, {ID: "b", UserMessage: "two"}},
	} {
		results, err := sink.OpenJSONL(filepath.Join(dir, "results.jsonl"), sink.FileOptions{})
		if err != nil {
			log.Fatal(err)
		}
		summary, err := processor.Run(context.Background(), source.Slice(requests), results)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(summary.SuccessfulRequests, "successful,", summary.DroppedRequests[stages.DoneEarlier], "done earlier")
	}
	// Output:
	// 1 successful, 0 done earlier
	// 2 successful, 1 done earlier
}

func ExampleBatchProcessor_Check() {
	processor, err := pipeline.NewBatchProcessor(&pipeline.Config{Model: model})
	if err != nil {
		log.Fatal(err)
	}
	defer processor.Close()
	requests := source.Slice([]batch.Request{{UserMessage: "fine"}, {}})
	_, err = processor.Check(context.Background(), requests, nil, func(item *batch.Item) error {
		if item.Result != nil {
			fmt.Println(item.Result.Error)
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: request 2: field "user_message" is missing
}

func ExampleBatchProcessor_Drain() {
	processor, err := pipeline.NewBatchProcessor(&pipeline.Config{Model: model})
	if err != nil {
		log.Fatal(err)
	}
	defer processor.Close()
	processor.Drain() // as a signal handler would, while a run goes on
	response, err := processor.Process(context.Background(), []batch.Request{{UserMessage: "too late"}})
	fmt.Println(response.TotalRequests, err)
	// Output: 0 <nil>
}

// An engine composed by hand: any stages between any source and sink.
func ExampleEngine_Run() {
	answer := stages.Map(4, func(_ context.Context, item *batch.Item) error {
		item.Settle(&batch.Result{Success: true, Response: "seen " + item.Request.UserMessage})
		return nil
	})
	results := make(chan *batch.Result, 2)
	engine := &pipeline.Engine{Ordered: true}
	requests := source.Slice([]batch.Request{{UserMessage: "one"}, {UserMessage: "two"}})
	summary, err := engine.Run(context.Background(), requests, sink.Chan(results), answer)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println((<-results).Response)
	fmt.Println((<-results).Response)
	fmt.Println(summary.SuccessfulRequests)
	// Output:
	// seen one
	// seen two
	// 2
}

func ExampleStructured() {
	type review struct {
		Summary   string `json:"summary"`
		Sentiment string `json:"sentiment" jsonschema:"enum=good"`
	}
	response, err := pipeline.BatchComplete(context.Background(), []batch.Request{{UserMessage: "I loved it."}},
		&pipeline.Config{Model: model, Schema: pipeline.Structured[review]()})
	if err != nil {
		log.Fatal(err)
	}
	var got review
	if err := json.Unmarshal(response.Results[0].StructuredOutput, &got); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%+v\n", got)
	// Output: {Summary:I loved it. Sentiment:good}
}

func Example_embeddings() {
	response, err := pipeline.BatchComplete(context.Background(), []batch.Request{
		{ID: "a", Input: batch.Text("I loved it.")},
		{ID: "b", Input: batch.Text("Never again.")},
	}, &pipeline.Config{Model: model})
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range response.Results {
		fmt.Println(r.ID, len(r.Embedding))
	}
	// Output:
	// a 8
	// b 8
}
