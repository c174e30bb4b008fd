package sink_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// What the engine does with a sink, the examples do by hand.

func ExampleJSONL() {
	s := sink.JSONL(os.Stdout)
	if err := s.Write(context.Background(), []*batch.Result{{ID: "sum", Success: true, Response: "4", Attempts: 1}}); err != nil {
		log.Fatal(err)
	}
	// Output: {"id":"sum","index":0,"success":true,"response":"4","tool_calls_made":0,"elapsed_time":0,"attempts":1}
}

func ExampleOpenJSONL() {
	ctx, path := context.Background(), temporary("results.jsonl")
	defer remove(path)
	for _, id := range []string{"first", "second"} { // two runs
		f, err := sink.OpenJSONL(path, sink.FileOptions{})
		if err != nil {
			log.Fatal(err)
		}
		done, err := f.Done("first", "v1:1")
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%d earlier, first done: %t\n", f.Earlier().TotalRequests, done)
		if err := f.Write(ctx, []*batch.Result{{ID: id, Success: true, Fingerprint: "v1:1"}}); err != nil {
			log.Fatal(err)
		}
		if err := f.Close(ctx); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// 0 earlier, first done: false
	// 1 earlier, first done: true
}

func ExampleResponse() {
	ctx, path := context.Background(), temporary("response.json")
	defer remove(path)
	s, err := sink.Response(path, sink.ResponseOptions{})
	if err != nil {
		log.Fatal(err)
	}
	s.Totals.WallTime = 1_500_000_000
	if err := s.Write(ctx, []*batch.Result{{ID: "b", Index: 1, Success: true}, {ID: "a", Success: true}}); err != nil {
		log.Fatal(err)
	}
	if err := s.Close(ctx); err != nil {
		log.Fatal(err)
	}
	show(path)
	// Output:
	// {"total_requests":2,"successful_requests":2,"failed_requests":0,"total_elapsed_time":0,"wall_time":1.5,"results":[
	// {"id":"a","index":0,"success":true,"response":"","tool_calls_made":0,"elapsed_time":0,"attempts":0},
	// {"id":"b","index":1,"success":true,"response":"","tool_calls_made":0,"elapsed_time":0,"attempts":0}
	// ]}
}

func ExampleWriteResponse() {
	path := temporary("response.json")
	defer remove(path)
	records := filepath.Join(filepath.Dir(path), "results.jsonl")
	if err := os.WriteFile(records, []byte(`{"id":"a","index":0,"success":true,"response":"4"}`), 0o600); err != nil {
		log.Fatal(err)
	}
	if err := sink.WriteResponse(path, records, sink.ResponseTotals{TotalRequests: 2}); err != nil {
		log.Fatal(err)
	}
	show(path)
	// Output:
	// {"total_requests":2,"successful_requests":1,"failed_requests":0,"total_elapsed_time":0,"wall_time":0,"results":[
	// {"id":"a","index":0,"success":true,"response":"4"}
	// ]}
}

// Somebody looks at the results while the run goes on.
func ExampleReadRecords() {
	path := temporary("results.jsonl")
	defer remove(path)
	const lines = `{"id":"a","index":0,"success":true,"response":"4","fingerprint":"v1:1"}` + "\n" + `{"id":"b","ind` // being written
	if err := os.WriteFile(path, []byte(lines), 0o600); err != nil {
		log.Fatal(err)
	}
	records, err := sink.ReadRecords(path)
	if err != nil {
		log.Fatal(err)
	}
	for _, id := range []string{"a", "b"} {
		done, err := records.Done(id, "v1:1")
		fmt.Println(id, done, err)
	}
	earlier := records.Earlier()
	fmt.Println(earlier.SuccessfulRequests, "successful")
	// Output:
	// a true <nil>
	// b false <nil>
	// 1 successful
}

func ExampleBatch() {
	s := sink.Batch(os.Stdout)
	answer := &batch.RawAnswer{Status: 200, RequestID: "req_7", Body: []byte(`{"choices":[{"message":{"content":"4"}}]}`)}
	if err := s.Write(context.Background(), []*batch.Result{{ID: "sum", Success: true, Raw: answer}}); err != nil {
		log.Fatal(err)
	}
	// Output:
	// {"id":"batch_req_0","custom_id":"sum","response":{"status_code":200,"request_id":"req_7","body":{"choices":[{"message":{"content":"4"}}]}},"error":null}
}

// A file that OpenAI made is continued: what it failed to do is done again.
func ExampleOpenBatch() {
	ctx, path := context.Background(), temporary("output.jsonl")
	defer remove(path)
	const lines = `{"id": "batch_req_1", "custom_id": "a", "response": {"status_code": 200, "request_id": "", "body": {}}, "error": null}
{"id": "batch_req_2", "custom_id": "b", "response": null, "error": {"code": "batch_expired", "message": "too late"}}
`
	if err := os.WriteFile(path, []byte(lines), 0o600); err != nil {
		log.Fatal(err)
	}
	f, err := sink.OpenBatch(path, sink.FileOptions{RerunFailed: true})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(f.Recovered().RemovedFailed, "to do again")
	result := &batch.Result{ID: "b", ErrorType: batch.ErrAPITimeout, Error: "no answer", Fingerprint: "v1:0f"}
	if err := f.Write(ctx, []*batch.Result{result}); err != nil {
		log.Fatal(err)
	}
	if err := f.Close(ctx); err != nil {
		log.Fatal(err)
	}
	show(path)
	// Output:
	// 1 to do again
	// {"id": "batch_req_1", "custom_id": "a", "response": {"status_code": 200, "request_id": "", "body": {}}, "error": null}
	// {"id":"batch_req_v1_0f_0","custom_id":"b","response":null,"error":{"code":"APITimeoutError","message":"no answer"}}
}

func ExampleReadBatchRecords() {
	path := temporary("output.jsonl")
	defer remove(path)
	const line = `{"id":"vllm-1","custom_id":"a","response":{"status_code":200,"request_id":"","body":{"usage":{"total_tokens":9}}},"error":null}`
	if err := os.WriteFile(path, []byte(line), 0o600); err != nil {
		log.Fatal(err)
	}
	records, err := sink.ReadBatchRecords(path)
	if err != nil {
		log.Fatal(err)
	}
	done, err := records.Done("a", "v1:1")
	fmt.Println(done, err, records.Earlier().TotalTokensUsed.Total, "tokens")
	// Output: true <nil> 9 tokens
}

func ExampleChan() {
	results := make(chan *batch.Result, 1)
	if err := sink.Chan(results).Write(context.Background(), []*batch.Result{{ID: "a"}}); err != nil {
		log.Fatal(err)
	}
	fmt.Println((<-results).ID)
	// Output: a
}

func ExampleMulti() {
	first, second := make(chan *batch.Result, 1), make(chan *batch.Result, 1)
	s := sink.Multi(sink.Chan(first), sink.Chan(second))
	if err := s.Write(context.Background(), []*batch.Result{{ID: "a"}}); err != nil {
		log.Fatal(err)
	}
	fmt.Println((<-first).ID, (<-second).ID)
	// Output: a a
}

func ExampleSplit() {
	good, bad := make(chan *batch.Result, 1), make(chan *batch.Result, 1)
	s := sink.Split(sink.Chan(good), sink.Chan(bad))
	if err := s.Write(context.Background(), []*batch.Result{{ID: "a", Success: true}, {ID: "b"}}); err != nil {
		log.Fatal(err)
	}
	fmt.Println("good:", (<-good).ID, "bad:", (<-bad).ID)
	// Output: good: a bad: b
}

func temporary(name string) string {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	return filepath.Join(dir, name)
}

func remove(path string) { _ = os.RemoveAll(filepath.Dir(path)) }

func show(path string) {
	data, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(string(data))
}
