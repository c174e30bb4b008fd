package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// redpandaConfig is file to file, as Redpanda Connect's documentation has it, with as many threads as calls in flight.
const redpandaConfig = `
http: {enabled: false}
logger: {level: ERROR}
input:
  file: {paths: [%q], scanner: {lines: {}}}
pipeline:
  threads: %d
  processors:
    - openai_chat_completion:
        server_address: %q
        api_key: %q
        model: %s
        prompt: ${! json("user_message") }
        system_prompt: ${! json("system_prompt") }
output:
  file: {path: %q, codec: lines}
`

// runRedpanda runs a program that has Redpanda Connect's openai_chat_completion. Its results hold no times.
func runRedpanda(ctx context.Context, l *load) (*outcome, error) {
	config := filepath.Join(filepath.Dir(l.output), "redpanda.yaml")
	text := fmt.Sprintf(redpandaConfig, l.input, l.inFlight, l.url, apiKey, model, l.output)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return l.runProgram(ctx, "run", config)
}

// verifyLines wants a line for each request.
func verifyLines(l *load, _ *outcome) error {
	results, err := os.ReadFile(l.output)
	if err != nil {
		return err
	}
	if got := bytes.Count(results, []byte("\n")); got != l.requests {
		return fmt.Errorf("%s: %d results for %d requests", l.output, got, l.requests)
	}
	return nil
}
