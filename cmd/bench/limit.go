package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/gluepipe/gluepipe/pipeline"
	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

// limitRPM is ten times a common limit of 600 requests a minute, so that ten thousand requests take less than two.
const limitRPM = 6000

// limit runs against a server with a limit of requests, of which the run isn't told, and which refuses everything for a
// tenth of each ten seconds besides.
func (b *bench) limit(ctx context.Context) error {
	l := load{
		requests: cmp.Or(b.requests, 10_000), inFlight: firstOr(b.inFlight, 64), latency: firstOr(b.latencies, 50*time.Millisecond),
	}
	fmt.Fprintf(b.stdout, "%d requests, %d in flight, latency %v, a limit of %d requests a minute\n",
		l.requests, l.inFlight, l.latency, limitRPM)
	for _, server := range []struct {
		name   string
		config llmtest.Config
	}{
		{"its headers tell of the limit", llmtest.Config{RPM: limitRPM, Burst: limitRPM / 60}},
		{"only its 429s do", llmtest.Config{RPM: limitRPM, Burst: limitRPM / 60, NoLimitHeaders: true}},
	} {
		if err := b.limitedBy(ctx, &l, server.name, server.config); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) limitedBy(ctx context.Context, l *load, name string, config llmtest.Config) error {
	config.Latency = l.latency
	begin := time.Now()
	config.Respond = func(*llmtest.Request) *llmtest.Answer {
		if time.Since(begin)%(10*time.Second) > 9*time.Second+900*time.Millisecond {
			return llmtest.RateLimited(100 * time.Millisecond)
		}
		return nil
	}
	server, err := llmtest.Start(config)
	if err != nil {
		return err
	}
	defer func() { _ = server.Close() }()
	processor, err := pipeline.NewBatchProcessor(&pipeline.Config{
		Model: "mock:echo", BaseURL: server.BaseURL(), MaxConcurrent: l.inFlight,
	})
	if err != nil {
		return err
	}
	defer processor.Close()
	summary, err := processor.Run(ctx, source.Slice(numbered(l.requests)), nowhere{})
	if err != nil {
		return err
	}
	stats := server.Stats()
	allowed := float64(config.Burst) + limitRPM/60*summary.WallTime.Seconds()
	fmt.Fprintf(b.stdout, "%-31s %d failed, %d of %d calls met a 429 (%.2f%%), %.1f%% of the limit used, %v\n", name+":",
		summary.FailedRequests, stats.Statuses[429], stats.Requests, 100*float64(stats.Statuses[429])/float64(stats.Requests),
		100*float64(l.requests)/allowed, summary.WallTime.Round(100*time.Millisecond))
	return nil
}

func numbered(n int) []batch.Request {
	requests := make([]batch.Request, n)
	for i := range requests {
		requests[i].UserMessage = fmt.Sprint("request ", i)
	}
	return requests
}

// nowhere takes results that nobody needs.
type nowhere struct{}

func (nowhere) Write(context.Context, []*batch.Result) error { return nil }
func (nowhere) Close(context.Context) error                  { return nil }
