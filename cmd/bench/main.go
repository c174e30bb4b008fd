// Bench measures gluepipe beside bare clients, over real HTTP:
//
//	go run ./cmd/bench            a table: requests/s, CPU, allocations, latency and memory of each contender
//	go run ./cmd/bench scale      throughput against calls in flight, and against the input's length
//	go run ./cmd/bench ideal      the share of what the server's latency allows
//	go run ./cmd/bench memory     resident memory along a million requests, and at 5,000 in flight
//	go run ./cmd/bench engine     the pipeline's engine alone, without HTTP
//	go run ./cmd/bench limit      what is used of a limit of requests a minute, and what it costs in 429s
//	go run ./cmd/bench check      a short form, which fails where a ratio fell
//
// Server and contenders are processes of their own, on loopback, so that each has its figures for itself. They share the
// machine's cores all the same: compare figures of one machine, taken in one run.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) error {
	command := "table"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		command, args = args[0], args[1:]
	}
	switch command { // what this program starts itself
	case "serve":
		s, err := serveOptions(args)
		if err != nil {
			return err
		}
		return serve(ctx, s, stdin, stdout)
	case "contender":
		return runContender(ctx, args, stdout)
	}
	o, err := parseOptions(args)
	if err != nil {
		return err
	}
	b, err := newBench(o, stdout)
	if err != nil {
		return err
	}
	return errors.Join(b.command(ctx, command), b.close())
}

func (b *bench) command(ctx context.Context, name string) error {
	switch name {
	case "table":
		return b.table(ctx)
	case "scale":
		return b.scale(ctx)
	case "ideal":
		return b.ideal(ctx)
	case "memory":
		return b.memory(ctx)
	case "engine":
		return b.engine(ctx)
	case "limit":
		return b.limit(ctx)
	case "check":
		return b.check(ctx)
	default:
		return fmt.Errorf("unknown command %q\n%s", name, usage)
	}
}
