package stages_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

// runAll sends one request a question through the stages, as the engine would, and returns the items in their order.
func runAll(ctx context.Context, questions []string, chain ...batch.Stage) []*batch.Item {
	in, out := make(chan *batch.Item, len(questions)), make(chan *batch.Item, len(questions))
	items := make([]*batch.Item, len(questions))
	for i, question := range questions {
		items[i] = &batch.Item{
			Index: int64(i), Origin: fmt.Sprintf("line %d", i+1), Request: &batch.Request{ID: question, UserMessage: question},
		}
		in <- items[i]
	}
	close(in)
	if err := stages.Chain(chain...)(ctx, in, out); err != nil {
		fmt.Println("the run broke:", err)
	}
	return items
}

// shout stands for a model: it repeats the last message, louder.
var shout = llm.CompleterFunc(func(_ context.Context, call *llm.Call) (*llm.Answer, error) {
	last := call.Messages[len(call.Messages)-1]
	return &llm.Answer{Text: strings.ToUpper(last.Text())}, nil
})

func ExampleValidate() {
	items := runAll(context.Background(), []string{"hello", "hello"}, stages.Validate(stages.Defaults{
		Model: "openai:gpt-4o-mini", SystemPrompt: "Answer in French.",
	}))
	chat, _ := json.Marshal(items[0].Effective.Messages)
	fmt.Println(items[0].Effective.Model, string(chat))
	fmt.Println(items[1].Result.ErrorType, items[1].Result.Error)
	// Output:
	// openai:gpt-4o-mini [{"role":"system","content":"Answer in French."},{"role":"user","content":"hello"}]
	// InvalidRequestError line 2: duplicate id "hello"
}

func ExampleNewExecutor() {
	executor := stages.NewExecutor(stages.ExecutorConfig{
		Completer:     llm.NewPermits(8).Limit(shout), // 8 calls in flight, over execute and retry
		MaxConcurrent: 8,
	})
	items := runAll(context.Background(), []string{"one", "two"},
		stages.Validate(stages.Defaults{}), stages.Execute(executor), stages.Retry(executor, stages.RetryPolicy{MaxAttempts: 3}))
	for _, item := range items {
		fmt.Println(item.Result.Response, item.Result.Attempts)
	}
	// Output:
	// ONE 1
	// TWO 1
}

func ExampleExecute() {
	// A model that asks for the weather, and tells what the tool said.
	model := llm.CompleterFunc(func(_ context.Context, call *llm.Call) (*llm.Answer, error) {
		if last := call.Messages[len(call.Messages)-1]; last.Role == "tool" {
			return &llm.Answer{Text: "It is " + last.Text() + "."}, nil
		}
		return &llm.Answer{Message: batch.Message{Role: "assistant", ToolCalls: []batch.ToolCall{
			{ID: "call_1", Name: "weather", Arguments: `{"city": "Oslo"}`},
		}}}, nil
	})
	weather := batch.Tool{Name: "weather", Call: func(context.Context, json.RawMessage) (string, error) { return "sunny", nil }}
	executor := stages.NewExecutor(stages.ExecutorConfig{Completer: model, MaxConcurrent: 1})
	items := runAll(context.Background(), []string{"How is the weather in Oslo?"},
		stages.Validate(stages.Defaults{Tools: []batch.Tool{weather}}), stages.Execute(executor))
	result := items[0].Result
	fmt.Println(result.Response)
	fmt.Println(result.ToolCallsMade, result.ToolExecutionHistory[0].ToolName, string(result.ToolExecutionHistory[0].Arguments))
	// Output:
	// It is sunny.
	// 1 weather {"city": "Oslo"}
}

func ExampleRetry() {
	calls := 0
	model := llm.CompleterFunc(func(context.Context, *llm.Call) (*llm.Answer, error) {
		if calls++; calls < 3 {
			return nil, batch.ErrServer.Errorf("503 Service Unavailable")
		}
		return &llm.Answer{Text: "at last"}, nil
	})
	executor := stages.NewExecutor(stages.ExecutorConfig{Completer: model, MaxConcurrent: 1})
	items := runAll(context.Background(), []string{"hello"}, stages.Validate(stages.Defaults{}), stages.Execute(executor),
		stages.Retry(executor, stages.RetryPolicy{MaxAttempts: 5, InitialBackoff: 1, MaxBackoff: 1}))
	fmt.Println(items[0].Result.Response, items[0].Result.Attempts, items[0].Result.Metadata)
	// Output: at last 3 map[_retried:true]
}

func ExampleCollect() {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	runAll(ctx, []string{"hello", ""}, stages.Validate(stages.Defaults{}), stages.Collect(batch.FailFast, cancel))
	var failure *batch.RequestError
	fmt.Println(errors.As(context.Cause(ctx), &failure), failure.Index, failure.Err)
	// Output: true 1 line 2: field "user_message" is missing
}

// doneIDs knows what earlier runs have done by the id alone.
type doneIDs map[string]bool

func (d doneIDs) Done(id, _ string) (bool, error) { return d[id], nil }

func ExampleResume() {
	earlier := doneIDs{"one": true}
	items := runAll(context.Background(), []string{"one", "two"},
		stages.Validate(stages.Defaults{Fingerprints: true}), stages.Resume(earlier))
	for _, item := range items {
		fmt.Printf("%s: %q\n", item.ID(), item.Dropped())
	}
	// Output:
	// one: "done in an earlier run"
	// two: ""
}

func ExampleMap() {
	known := map[string]string{"capital of France": "Paris"}
	cache := stages.Map(4, func(_ context.Context, item *batch.Item) error {
		if answer, ok := known[item.Request.UserMessage]; ok {
			item.Settle(&batch.Result{Success: true, Response: answer})
		}
		return nil
	})
	executor := stages.NewExecutor(stages.ExecutorConfig{Completer: shout, MaxConcurrent: 1})
	items := runAll(context.Background(), []string{"capital of France", "hello"},
		stages.Validate(stages.Defaults{}), cache, stages.Execute(executor))
	for _, item := range items {
		fmt.Println(item.Result.Response, item.Result.Attempts)
	}
	// Output:
	// Paris 0
	// HELLO 1
}

func ExampleMapResults() {
	executor := stages.NewExecutor(stages.ExecutorConfig{Completer: shout, MaxConcurrent: 1})
	parse := stages.MapResults(2, func(_ context.Context, item *batch.Item) error {
		if !item.Result.Success {
			return nil
		}
		n, err := strconv.Atoi(item.Result.Response)
		if err != nil {
			return fmt.Errorf("the answer is no number: %w", err) // fails the item, and the run goes on
		}
		item.Result.SetMetadata("number", n)
		return nil
	})
	items := runAll(context.Background(), []string{"42", "many"},
		stages.Validate(stages.Defaults{}), stages.Execute(executor), parse)
	for _, item := range items {
		if !item.Result.Success {
			fmt.Println(item.Result.ErrorType, item.Result.Error)
			continue
		}
		fmt.Println(item.Result.Metadata)
	}
	// Output:
	// map[number:42]
	// StageError the answer is no number: strconv.Atoi: parsing "MANY": invalid syntax
}

func ExampleChain() {
	short := stages.Map(1, func(_ context.Context, item *batch.Item) error {
		if len(item.Request.UserMessage) > 10 {
			item.Drop("too long")
		}
		return nil
	})
	polite := stages.Map(1, func(_ context.Context, item *batch.Item) error {
		item.Effective.Messages = append(item.Effective.Messages, batch.UserMessage("please"))
		return nil
	})
	prepare := stages.Chain(stages.Validate(stages.Defaults{}), short, polite) // one stage to use anywhere
	for _, item := range runAll(context.Background(), []string{"hello", "a very long story"}, prepare) {
		fmt.Printf("%d messages, dropped: %q\n", len(item.Effective.Messages), item.Dropped())
	}
	// Output:
	// 2 messages, dropped: ""
	// 1 messages, dropped: "too long"
}

func ExampleConnect() {
	in, out := make(chan *batch.Item, 1), make(chan *batch.Item, 1)
	in <- &batch.Item{Request: &batch.Request{ID: "hello", UserMessage: "hello"}}
	close(in)
	chain := []batch.Stage{stages.Validate(stages.Defaults{Model: "m"})}
	err := stages.Connect(context.Background(), chain, 0, in, out, func(err error) { fmt.Println("stop the source:", err) })
	fmt.Println((<-out).Effective.Model, err)
	// Output: m <nil>
}
