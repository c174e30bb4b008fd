package stages_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

// A run against a server that is down stops after two failures, and leaves the rest for a later run.
func ExampleBreaker() {
	down := llm.CompleterFunc(func(context.Context, *llm.Call) (*llm.Answer, error) {
		return nil, &llm.Error{Kind: batch.ErrServer, Status: 503, Err: errors.New("503 Service Unavailable")}
	})
	executor := stages.NewExecutor(stages.ExecutorConfig{Completer: down, MaxConcurrent: 1})
	drain := make(chan struct{}) // the engine has one
	ctx := batch.WithDrain(context.Background(), drain)

	items := runAll(ctx, []string{"one", "two"}, stages.Validate(stages.Defaults{}), stages.Execute(executor),
		stages.Retry(executor, stages.RetryPolicy{}), stages.Breaker(2, func(error) { close(drain) }))
	for _, item := range items {
		fmt.Printf("%s: %v\n", item.Result.ErrorType, item.Result.Err)
	}
	// Output:
	// the run broke: stopped after 2 failures in a row without a success: ServerError: 503 Service Unavailable
	// ServerError: request "one": 503 Service Unavailable
	// CancelledError: request "two": left for a later run: 503 Service Unavailable
}

// Somebody who waits for a run can ask what it waits for.
func ExampleTracker() {
	release := make(chan struct{})
	stuck := llm.CompleterFunc(func(context.Context, *llm.Call) (*llm.Answer, error) {
		<-release
		return &llm.Answer{Text: "at last"}, nil
	})
	tracker := new(stages.Tracker)
	executor := stages.NewExecutor(stages.ExecutorConfig{Completer: stuck, MaxConcurrent: 1, Tracker: tracker})
	var run sync.WaitGroup
	run.Go(func() {
		runAll(context.Background(), []string{"one"}, stages.Validate(stages.Defaults{}),
			stages.Execute(executor), stages.Retry(executor, stages.RetryPolicy{}))
	})
	fmt.Println(tracker.Slowest(3), "takes markedly longer than the others") // nothing does before 10 seconds have passed
	fmt.Println(stages.InFlight{ID: "one", Age: 130 * time.Second})
	close(release)
	run.Wait()
	// Output:
	// [] takes markedly longer than the others
	// one 2m10s
}
