package main

import (
	"bufio"
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
