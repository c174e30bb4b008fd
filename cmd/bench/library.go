package main

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/gluepipe/gluepipe/pipeline"
	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/tool"
)

// config is as users have it: all defaults but for what says where and how many.
func (l *load) config() *pipeline.Config {
	return &pipeline.Config{Model: "openai:" + model, BaseURL: l.url, APIKey: apiKey, MaxConcurrent: l.inFlight}
}

func runProcess(ctx context.Context, l *load) (*outcome, error) {
	requests := make([]batch.Request, l.requests)
	for i := range requests {
		requests[i] = newRequest(i)
	}
	m := newMeter()
	processor, err := pipeline.NewBatchProcessor(l.config())
	if err != nil {
		return nil, err
	}
	defer processor.Close()
	response, err := processor.Process(ctx, requests)
	if err != nil {
		return nil, err
	}
	o := m.outcome(l.requests)
	var took []float64
	for _, r := range response.Results {
		if r.Err != nil {
			return nil, r.Err
		}
		took = append(took, microseconds(r.ElapsedTime))
	}
	o.setLatency(took, l.latency)
	return o, nil
}

func runStream(ctx context.Context, l *load) (*outcome, error) {
	took := make([]float64, 0, l.requests)
	m := newMeter()
	processor, err := pipeline.NewBatchProcessor(l.config())
	if err != nil {
		return nil, err
	}
	defer processor.Close()
	for result, err := range processor.Stream(ctx, source.Seq(l.generated())) {
		if err == nil {
			err = result.Err
		}
		if err != nil {
			return nil, err
		}
		took = append(took, microseconds(result.ElapsedTime))
	}
	o := m.outcome(l.requests)
	o.setLatency(took, l.latency)
	return o, nil
}

func (l *load) generated() iter.Seq2[batch.Request, error] {
	return func(yield func(batch.Request, error) bool) {
		for i := range l.requests {
			if !yield(newRequest(i), nil) {
				return
			}
		}
	}
}

func runFile(ctx context.Context, l *load) (*outcome, error) {
	return l.fileToFile(ctx, l.config(), 1)
}

func runTools(ctx context.Context, l *load) (*outcome, error) {
	type key struct {
		Key string `json:"key"`
	}
	config := l.config()
	config.Tools = []batch.Tool{tool.New("lookup", "Look up what is known of a thing.",
		func(_ context.Context, k key) (string, error) { return k.Key + ": delivered on Tuesday", nil })}
	return l.fileToFile(ctx, config, 2)
}

func runRetries(ctx context.Context, l *load) (*outcome, error) {
	config := l.config()
	config.Retry = stages.RetryPolicy{MaxAttempts: 10, InitialBackoff: 20 * time.Millisecond}
	return l.fileToFile(ctx, config, 1)
}

// marks are the shares of a run, in percent, at which its resident memory is taken.
func marks() []int { return []int{10, 50, 100} }

// fileToFile runs a file of requests to a durable file of results. Each takes so many turns, of a call each.
func (l *load) fileToFile(ctx context.Context, config *pipeline.Config, turns int) (*outcome, error) {
	var resident []float64
	if l.marks {
		left := marks()
		config.OnProgress = func(p pipeline.Progress) {
			for len(left) > 0 && p.Done*100 >= l.requests*left[0] {
				resident, left = append(resident, residentMiB()), left[1:]
			}
		}
	}
	m := newMeter()
	processor, err := pipeline.NewBatchProcessor(config)
	if err != nil {
		return nil, err
	}
	defer processor.Close()
	in, err := source.OpenJSONL(l.input)
	if err != nil {
		return nil, err
	}
	out, err := sink.OpenJSONL(l.output, sink.FileOptions{})
	if err != nil {
		_ = in.Close()
		return nil, err
	}
	summary, err := processor.Run(ctx, in, out)
	if err != nil {
		return nil, err
	}
	o := m.outcome(l.requests)
	o.Calls, o.Resident = turns*l.requests, resident
	if summary.SuccessfulRequests != l.requests {
		return nil, fmt.Errorf("%d of %d requests succeeded", summary.SuccessfulRequests, l.requests)
	}
	return o, nil
}
