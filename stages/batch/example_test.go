package batch_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/gluepipe/gluepipe/stages/batch"
)

func ExampleRequest() {
	var r batch.Request
	err := json.Unmarshal([]byte(`{"id": "q1", "user_message": "What is 6 * 7?", "timeout": 1.5}`), &r)
	fmt.Println(r.UserMessage, r.Timeout, err)

	err = json.Unmarshal([]byte(`{"id": "q2", "timeout": "soon"}`), &r)
	fmt.Println(err)
	// Output:
	// What is 6 * 7? 1.5s <nil>
	// field "timeout": want a number of seconds, got "soon"
}

func ExampleRequest_MarshalJSON() {
	no := false
	data, _ := batch.Request{
		ID:           "q1",
		Messages:     []batch.Message{batch.UserMessage("What is 6 * 7?")},
		ExecuteTools: &no,
		Timeout:      90 * time.Second,
	}.MarshalJSON()
	fmt.Println(string(data))
	// Output:
	// {"id":"q1","messages":[{"role":"user","content":"What is 6 * 7?"}],"execute_tools":false,"timeout":90}
}

func ExampleMessage_Text() {
	var m batch.Message
	_ = json.Unmarshal([]byte(`{
		"role": "user",
		"content": [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "cat.png"}}]
	}`), &m)
	fmt.Println(m.Text())
	// Output: What is this?
}

func ExampleMessage_AppendJSON() {
	question := batch.UserMessage("Is it raining?")
	answer := batch.Message{
		Role:      "assistant",
		ToolCalls: []batch.ToolCall{{ID: "c1", Name: "weather", Arguments: `{"city":"Ulm"}`}},
	}
	result := batch.ToolMessage("c1", "rain")
	for _, m := range []batch.Message{question, answer, result} {
		line, _ := m.AppendJSON(nil)
		fmt.Println(string(line))
	}
	// Output:
	// {"role":"user","content":"Is it raining?"}
	// {"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Ulm\"}"}}]}
	// {"role":"tool","content":"rain","tool_call_id":"c1"}
}

func ExampleText() {
	m := batch.Message{Role: "developer", Content: batch.Text(`Say "hi".`)}
	fmt.Println(string(m.Content))
	// Output: "Say \"hi\"."
}

func ExampleTool_AppendDefinition() {
	t := batch.Tool{Name: "now"}
	definition, _ := t.AppendDefinition(nil)
	fmt.Println(string(definition))
	// Output: {"type":"function","function":{"name":"now","parameters":{"type":"object","properties":{}}}}
}

func ExampleResult_AppendJSON() {
	r := batch.Result{ID: "q1", Success: true, Response: "42", ElapsedTime: 1250 * time.Millisecond, Attempts: 1}
	line, _ := r.AppendJSON(nil)
	fmt.Println(string(line))
	// Output: {"id":"q1","index":0,"success":true,"response":"42","tool_calls_made":0,"elapsed_time":1.25,"attempts":1}
}

func ExampleResult_SetError() {
	r := batch.Result{ID: "q1", Attempts: 3}
	r.SetError(batch.ErrAPITimeout.Errorf("no answer within %s", time.Minute))
	fmt.Println(r.ErrorType, "-", r.Error)
	fmt.Println(r.Err)
	// Output:
	// APITimeoutError - no answer within 1m0s
	// request "q1": no answer within 1m0s
}

func ExampleKindOf() {
	cause := errors.New("dial tcp 127.0.0.1:1: connection refused")
	err := fmt.Errorf("calling the model: %w", batch.ErrAPIConnection.Wrap(cause))
	fmt.Println(err)
	fmt.Println(batch.KindOf(err), errors.Is(err, batch.ErrAPIConnection), errors.Is(err, cause))
	// Output:
	// calling the model: dial tcp 127.0.0.1:1: connection refused
	// APIConnectionError true true
}

func ExampleErrorStrategy_UnmarshalText() {
	var s batch.ErrorStrategy
	fmt.Println(s.UnmarshalText([]byte("fail_fast")), s)
	fmt.Println(s.UnmarshalText([]byte("panic")))
	// Output:
	// <nil> fail_fast
	// unknown error strategy "panic": want continue, fail_fast or skip
}

// A stage of one's own that answers what it already knows and drops what nobody wants.
func ExampleStage() {
	known := map[string]string{"What is 6 * 7?": "42"}
	var lookUp batch.Stage = func(_ context.Context, in <-chan *batch.Item, out chan<- *batch.Item) error {
		for item := range in {
			question := item.Request.UserMessage
			if answer, ok := known[question]; ok {
				item.Settle(&batch.Result{Success: true, Response: answer})
			} else if question == "" {
				item.Drop("nothing asked")
			}
			out <- item
		}
		return nil
	}

	in, out := make(chan *batch.Item, 3), make(chan *batch.Item, 3)
	for i, question := range []string{"What is 6 * 7?", "", "Why?"} {
		in <- &batch.Item{Index: int64(i), Request: &batch.Request{UserMessage: question}}
	}
	close(in)
	fmt.Println(lookUp(context.Background(), in, out))
	close(out)
	for item := range out {
		fmt.Printf("%d settled=%t dropped=%q\n", item.Index, item.Settled(), item.Dropped())
	}
	// Output:
	// <nil>
	// 0 settled=true dropped=""
	// 1 settled=true dropped="nothing asked"
	// 2 settled=false dropped=""
}

func ExampleSummary() {
	s := batch.Summary{TotalRequests: 2, WallTime: 2 * time.Second}
	failed := &batch.Result{ID: "b", ElapsedTime: time.Second}
	failed.SetError(batch.ErrServer.Errorf("503 Service Unavailable"))
	s.Add(&batch.Result{ID: "a", Success: true, ElapsedTime: 3 * time.Second})
	s.Add(failed)
	fmt.Println(s.SuccessfulRequests, s.FailedRequests, s.FailedByType)
	fmt.Println("concurrency was worth", s.TotalElapsedTime.Seconds()/s.WallTime.Seconds())
	// Output:
	// 1 1 map[ServerError:1]
	// concurrency was worth 2
}

func ExampleFingerprint() {
	one := &batch.Request{ID: "a", Model: "openai:gpt-4o-mini", Messages: []batch.Message{batch.UserMessage("hi")}}
	two := &batch.Request{ID: "b", Model: one.Model, Messages: one.Messages, Timeout: time.Hour}
	first, _ := batch.Fingerprint(one)
	second, _ := batch.Fingerprint(two)
	fmt.Println(first == second)
	// Output: true
}
