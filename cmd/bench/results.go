package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
)

// verifyResults wants a success for each request, and takes from them what each took.
func verifyResults(l *load, o *outcome) error {
	took, err := readResults(l.output, l.requests)
	if err != nil {
		return err
	}
	o.setLatency(took, l.latency)
	return nil
}

// readResults checks that a file has a success for each request, and returns what each took, in microseconds.
func readResults(path string, requests int) ([]float64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	took := make([]float64, 0, requests)
	for lines := bufio.NewReaderSize(f, 1<<20); ; {
		line, err := lines.ReadBytes('\n')
		if len(line) == 0 && err != nil {
			break
		}
		var result struct {
			Success     bool    `json:"success"`
			Error       string  `json:"error"`
			ElapsedTime float64 `json:"elapsed_time"`
		}
		if err := json.Unmarshal(bytes.TrimSpace(line), &result); err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", path, len(took)+1, err)
		}
		if !result.Success {
			return nil, fmt.Errorf("%s: line %d: %s", path, len(took)+1, result.Error)
		}
		took = append(took, result.ElapsedTime*1e6)
	}
	if len(took) != requests {
		return nil, fmt.Errorf("%s: %d results for %d requests", path, len(took), requests)
	}
	return took, nil
}
