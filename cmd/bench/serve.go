package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
)

// served is what a server says when it ends.
type served struct {
	Requests int64   `json:"requests"`
	CPU      float64 `json:"cpu_us"` // since it began
}

// serve answers until ctx ends or whoever started it closes stdin, prints where, and in the end what it took.
func serve(ctx context.Context, s script, stdin io.Reader, stdout io.Writer) error {
	before := cpu()
	server, err := startFixed(s)
	if err != nil {
		return err
	}
	fmt.Fprintln(stdout, server.baseURL())
	orphaned := make(chan struct{})
	go func() { // stdin may stay open for good: then the process ends without it
		defer close(orphaned)
		_, _ = io.Copy(io.Discard, stdin)
	}()
	select {
	case <-ctx.Done():
	case <-orphaned:
	}
	if err := server.close(); err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(served{server.requests.Load(), microseconds(cpu() - before)})
}
