package pipeline

import (
	"context"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// BatchComplete runs the requests with a processor of its own; see [BatchProcessor.Process]. The response is nil only where
// the configuration is wrong.
func BatchComplete(ctx context.Context, requests []batch.Request, cfg *Config) (*batch.Response, error) {
	p, err := NewBatchProcessor(cfg)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	return p.Process(ctx, requests)
}

// BatchCompleteSimple runs one request a message and returns one text a message, in order, whatever the error strategy: the
// model's answer, or "Error: " and what went wrong. An empty message fails like any other bad request. The error is as for
// [BatchProcessor.Process]; texts are nil only where the configuration is wrong.
func BatchCompleteSimple(ctx context.Context, messages []string, cfg *Config) ([]string, error) {
	config := Config{}
	if cfg != nil {
		config = *cfg
	}
	if config.ErrorStrategy == batch.Skip {
		config.ErrorStrategy = batch.Continue // a skipped result would leave its message without a text
	}
	requests := make([]batch.Request, len(messages))
	for i, message := range messages {
		requests[i].UserMessage = message
	}
	response, err := BatchComplete(ctx, requests, &config)
	if response == nil {
		return nil, err
	}
	texts := make([]string, len(messages))
	for i := range texts {
		texts[i] = "Error: the run ended before this message"
	}
	for _, r := range response.Results {
		if texts[r.Index] = r.Response; !r.Success {
			texts[r.Index] = "Error: " + r.Error
		}
	}
	return texts, err
}
