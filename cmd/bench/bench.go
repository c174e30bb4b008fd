package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// bench runs contenders, each in a process of its own, against servers in processes of their own. Close it: it holds a folder
// of requests and results.
type bench struct {
	*options
	stdout io.Writer
	dir    string
}

func newBench(o *options, stdout io.Writer) (*bench, error) {
	dir, err := os.MkdirTemp("", "gluepipe-bench-")
	if err != nil {
		return nil, err
	}
	b := &bench{options: o, stdout: stdout, dir: dir}
	for _, path := range []*string{&o.gluepipe, &o.redpanda} { // which run in the folder
		if *path == "" {
			continue
		}
		if *path, err = filepath.Abs(*path); err != nil {
			return nil, errors.Join(err, b.close())
		}
	}
	return b, nil
}

func (b *bench) close() error { return os.RemoveAll(b.dir) }

// run measures one contender once.
func (b *bench) run(ctx context.Context, name string, l load) (*outcome, error) {
	l.profile = b.profile
	o, err := b.measure(ctx, name, &l)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx) // it was killed
	}
	if err != nil {
		return nil, fmt.Errorf("%s, %d in flight, latency %v: %w", name, l.inFlight, l.latency, err)
	}
	return o, nil
}

func (b *bench) measure(ctx context.Context, name string, l *load) (o *outcome, err error) {
	c, err := findContender(name)
	if err != nil {
		return nil, err
	}
	if l.input, err = b.input(l.requests); err != nil {
		return nil, err
	}
	if l.program, err = b.programOf(ctx, name); err != nil {
		return nil, err
	}
	l.output = filepath.Join(b.dir, "results.jsonl")
	defer func() { err = errors.Join(err, removeAll(l.output, l.output+".lock")) }()
	if b.url != "" {
		l.url = b.url
		return startContender(ctx, name, l)
	}
	s := c.script
	s.latency = l.latency
	server, err := startServer(ctx, s)
	if err != nil {
		return nil, err
	}
	l.url = server.baseURL
	o, err = startContender(ctx, name, l)
	said, stopped := server.stop()
	if err := errors.Join(err, stopped); err != nil {
		return nil, err
	}
	o.Calls, o.ServerCPU = int(said.Requests), said.CPU
	return o, nil
}

func startContender(ctx context.Context, name string, l *load) (*outcome, error) {
	cmd, err := selfCommand(ctx, append([]string{"contender", name}, l.args()...)...)
	if err != nil {
		return nil, err
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	stdout, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, lastLines(said.String()))
	}
	o := new(outcome)
	return o, json.Unmarshal(stdout, o)
}

// input returns a file with so many requests, which stays for further runs.
func (b *bench) input(requests int) (string, error) {
	path := filepath.Join(b.dir, fmt.Sprintf("requests-%d.jsonl", requests))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	return path, writeRequests(path, requests)
}

func (b *bench) programOf(ctx context.Context, name string) (string, error) {
	switch name {
	case redpandaConnect:
		return b.redpanda, nil
	case "cli":
		return b.gluepipeProgram(ctx)
	}
	return "", nil
}

func (b *bench) gluepipeProgram(ctx context.Context) (string, error) {
	if b.gluepipe == "" {
		path := filepath.Join(b.dir, "gluepipe")
		if err := build(ctx, path, "github.com/gluepipe/gluepipe/cmd/gluepipe"); err != nil {
			return "", err
		}
		b.gluepipe = path
	}
	return b.gluepipe, nil
}

func removeAll(paths ...string) error {
	var errs []error
	for _, path := range paths {
		errs = append(errs, os.RemoveAll(path))
	}
	return errors.Join(errs...)
}
