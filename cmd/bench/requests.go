package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/gluepipe/gluepipe/stages/batch"
)

const systemPrompt = "You classify reviews."

// userMessage is about as long as people's are.
func userMessage(i int) string {
	return fmt.Sprintf("Review %d: the parcel came a day late, but what was in it was well made, and the shop answered my letter the "+
		"same evening. I would buy there again. Is this review positive, negative or neutral? Answer in one word, and name the "+
		"phrase that decided it.", i)
}

// newRequest is the request that writeRequests writes.
func newRequest(i int) batch.Request {
	return batch.Request{
		ID: fmt.Sprintf("request-%08d", i), UserMessage: userMessage(i), SystemPrompt: systemPrompt,
		Metadata: map[string]any{"row": i, "source": "reviews.csv"},
	}
}

// writeRequests writes requests of about 400 bytes.
func writeRequests(path string, n int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	for i := range n {
		fmt.Fprintf(w, `{"id":"request-%08d","user_message":%q,"system_prompt":%q,"metadata":{"row":%d,"source":"reviews.csv"}}`+"\n",
			i, userMessage(i), systemPrompt, i)
	}
	return errors.Join(w.Flush(), f.Close())
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
