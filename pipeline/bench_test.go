package pipeline

import (
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

// endless yields the same request n times, each time as a new item.
type endless struct {
	n       int
	request batch.Request
}

func (e *endless) Next(context.Context) (*batch.Item, error) {
	if e.n == 0 {
		return nil, io.EOF
	}
	e.n--
	return &batch.Item{Request: &e.request}, nil
}

func (e *endless) Close() error { return nil }

// BenchmarkEngine measures the engine alone: five stages between a source and a sink, of which one has workers.
func BenchmarkEngine(b *testing.B) {
	pass := func(_ context.Context, in <-chan *batch.Item, out chan<- *batch.Item) error {
		for item := range in {
			out <- item
		}
		return nil
	}
	result := &batch.Result{Success: true}
	for _, workers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			work := stages.Map(workers, func(_ context.Context, item *batch.Item) error {
				item.Result = result
				return nil
			})
			e := &Engine{Buffer: min(workers/8, maxBuffer), MaxPending: max(4*workers, 256)}
			b.ReportAllocs()
			if _, err := e.Run(b.Context(), &endless{n: b.N}, nowhere{}, pass, pass, work, pass, pass); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkProcessor measures the whole pipeline but for the model call and the files.
func BenchmarkProcessor(b *testing.B) {
	instant := llm.CompleterFunc(func(context.Context, *llm.Call) (*llm.Answer, error) {
		return &llm.Answer{Text: "ok", FinishReason: "stop"}, nil
	})
	for _, workers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			p, err := NewBatchProcessor(&Config{Completer: instant, MaxConcurrent: workers})
			if err != nil {
				b.Fatal(err)
			}
			defer p.Close()
			b.ReportAllocs()
			src := &endless{n: b.N, request: batch.Request{UserMessage: "What is the capital of France?"}}
			if _, err := p.Run(b.Context(), src, nowhere{}); err != nil {
				b.Fatal(err)
			}
		})
	}
}
