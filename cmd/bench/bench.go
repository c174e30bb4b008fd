package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/gluepipe/gluepipe/pipeline"
	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/stages/batch"
)

// bench runs a file of requests through the whole pipeline to a durable file of results.
type bench struct {
	requests int
	inFlight int
	latency  time.Duration
	stdout   io.Writer
}

func (b *bench) file(ctx context.Context) error {
	b.requests = cmp.Or(b.requests, 100_000)
	before := cpu()
	summary, err := b.run(ctx, nil)
	if err != nil {
		return err
	}
	n := float64(summary.TotalRequests)
	fmt.Fprintf(b.stdout, "%d requests, %d in flight, latency %v\n", summary.TotalRequests, b.inFlight, b.latency)
	fmt.Fprintf(b.stdout, "%12.0f requests/s\n", n/summary.WallTime.Seconds())
	fmt.Fprintf(b.stdout, "%12.1f us of CPU a request, without the server\n", float64((cpu()-before).Microseconds())/n)
	fmt.Fprintf(b.stdout, "%12.1f MiB resident\n", residentMiB())
	return nil
}

func (b *bench) memory(ctx context.Context) error {
	b.requests = cmp.Or(b.requests, 1_000_000)
	marks := []int{10, 50, 100}
	fmt.Fprintf(b.stdout, "%d requests, %d in flight, latency %v\n", b.requests, b.inFlight, b.latency)
	_, err := b.run(ctx, func(p pipeline.Progress) {
		for len(marks) > 0 && p.Done >= b.requests/100*marks[0] {
			fmt.Fprintf(b.stdout, "%4d%%  %6.1f MiB resident\n", marks[0], residentMiB())
			marks = marks[1:]
		}
	})
	return err
}

func (b *bench) run(ctx context.Context, onProgress func(pipeline.Progress)) (summary *batch.Summary, err error) {
	dir, err := os.MkdirTemp("", "gluepipe-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	input := filepath.Join(dir, "requests.jsonl")
	if err := writeRequests(input, b.requests); err != nil {
		return nil, err
	}
	baseURL, stop, err := startServer(ctx, b.latency)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	processor, err := pipeline.NewBatchProcessor(&pipeline.Config{
		Model: "mock:echo", BaseURL: baseURL, MaxConcurrent: b.inFlight, OnProgress: onProgress,
	})
	if err != nil {
		return nil, err
	}
	defer processor.Close()
	in, err := source.OpenJSONL(input)
	if err != nil {
		return nil, err
	}
	out, err := sink.OpenJSONL(filepath.Join(dir, "results.jsonl"), sink.FileOptions{})
	if err != nil {
		return nil, err
	}
	summary, err = processor.Run(ctx, in, out)
	if err == nil && summary.SuccessfulRequests != b.requests {
		err = fmt.Errorf("%d of %d requests succeeded", summary.SuccessfulRequests, b.requests)
	}
	return summary, err
}

// writeRequests writes requests of about 400 bytes, as people have them.
func writeRequests(path string, n int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	for i := range n {
		fmt.Fprintf(w, `{"id":"request-%08d","user_message":"Review %d: the parcel came a day late, but what was in it was well `+
			`made, and the shop answered my letter the same evening. I would buy there again. Is this review positive, negative `+
			`or neutral? Answer in one word, and name the phrase that decided it.","system_prompt":"You classify reviews.",`+
			`"metadata":{"row":%d,"source":"reviews.csv"}}`+"\n", i, i, i)
	}
	return errors.Join(w.Flush(), f.Close())
}
