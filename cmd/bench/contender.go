package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/pprof"
	"strings"
	"time"
)

// bare is the contender that the others are compared with.
const bare = "go-openai"

// contender is one way to make many calls. Each run is a process of its own.
type contender struct {
	name   string
	about  string
	run    func(context.Context, *load) (*outcome, error)
	verify func(*load, *outcome) error // what it wrote, once it has been measured; nil: run has seen it
	script script                      // of its server, but for the latency
}

const redpandaConnect = "redpanda-connect"

// overloaded fails one call of 20, as a server does that has too much to do for a moment.
func overloaded() script {
	return script{failEvery: 20, failStatus: 503, retryAfter: 20 * time.Millisecond}
}

func contenders() []contender {
	return []contender{
		{name: "net/http", about: "bare net/http loop, no JSON", run: runNetHTTP},
		{name: bare, about: "bare go-openai loop", run: runGoOpenAI},
		{name: "process", about: "library, Process", run: runProcess},
		{name: "stream", about: "library, Stream", run: runStream},
		{name: "file", about: "library, file to durable file", run: runFile, verify: verifyResults},
		{name: "cli", about: "gluepipe run, file to durable file", run: runCLI, verify: verifyResults},
		{name: "tools", about: "file to file, one tool call each", run: runTools, verify: verifyResults, script: script{tools: true}},
		{name: "retries", about: "file to file, 1 call of 20 fails", run: runRetries, verify: verifyResults, script: overloaded()},
		{name: redpandaConnect, about: "Redpanda Connect, file to file", run: runRedpanda, verify: verifyLines},
	}
}

func findContender(name string) (*contender, error) {
	var names []string
	for _, c := range contenders() {
		if c.name == name {
			return &c, nil
		}
		names = append(names, c.name)
	}
	return nil, fmt.Errorf("unknown contender %q: want one of %s", name, strings.Join(names, ", "))
}

// runContender is the process of a contender: it prints its outcome.
func runContender(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) == 0 {
		return fmt.Errorf("which contender?\n%s", usage)
	}
	c, err := findContender(args[0])
	if err != nil {
		return err
	}
	l, err := parseLoad(args[1:])
	if err != nil {
		return err
	}
	stop, err := startProfile(l.profile)
	if err != nil {
		return err
	}
	o, err := c.run(ctx, l)
	if err := errors.Join(err, stop()); err != nil {
		return err
	}
	if c.verify != nil {
		if err := c.verify(l, o); err != nil {
			return err
		}
	}
	return json.NewEncoder(stdout).Encode(o)
}

// startProfile writes a CPU profile to a file until stop is called; "" is none.
func startProfile(path string) (stop func() error, err error) {
	if path == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}
