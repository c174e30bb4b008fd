// Bench measures gluepipe file to file, with durable output, over real HTTP:
//
//	go run ./cmd/bench file      requests a second and CPU a request
//	go run ./cmd/bench memory    resident memory at 10%, 50% and 100% of a million requests
//	go run ./cmd/bench limit     what is used of a limit of requests a minute, and what it costs in 429s
//
// The server that answers is a process of its own, on loopback, so that what is measured is the pipeline's. It shares the
// machine's cores all the same: compare figures of one machine, taken in one run.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"
)

var errUsage = errors.New("usage: bench file|memory|limit [-n REQUESTS] [-c CALLS-IN-FLIGHT] [-latency OF-EACH-ANSWER]")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) == 0 {
		return errUsage
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	n := flags.Int("n", 0, "")
	inFlight := flags.Int("c", 64, "")
	latency := flags.Duration("latency", 0, "")
	tools := flags.Bool("tools", false, "")
	failEvery := flags.Int("fail-every", 0, "")
	failStatus := flags.Int("fail-status", 503, "")
	retryAfter := flags.Duration("retry-after", 20*time.Millisecond, "")
	if err := flags.Parse(args[1:]); err != nil {
		return fmt.Errorf("%w (%w)", err, errUsage)
	}
	b := &bench{requests: *n, inFlight: *inFlight, latency: *latency, stdout: stdout}
	switch args[0] {
	case "serve":
		return serve(ctx, script{*latency, *tools, *failEvery, *failStatus, *retryAfter}, os.Stdin, stdout)
	case "file":
		return b.file(ctx)
	case "memory":
		return b.memory(ctx)
	case "limit":
		return b.limit(ctx)
	default:
		return errUsage
	}
}
