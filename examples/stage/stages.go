package main

import (
	"context"
	"strings"
	"sync"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// cache holds answers by question. Its methods are stages, for stages.Map and stages.MapResults.
type cache struct{ answers sync.Map }

// answer settles the items whose answer is known. The stages that follow leave them alone: no model is asked.
func (c *cache) answer(_ context.Context, item *batch.Item) error {
	if text, ok := c.answers.Load(item.Request.UserMessage); ok {
		item.Settle(&batch.Result{Success: true, Response: text.(string)})
		item.Result.SetMetadata("cached", true)
	}
	return nil
}

// keep remembers the answers. Failed items may have no request: their record could not be read.
func (c *cache) keep(_ context.Context, item *batch.Item) error {
	if item.Result.Success {
		c.answers.Store(item.Request.UserMessage, item.Result.Response)
	}
	return nil
}

// handbook stands for a search in the company's own documents.
var handbook = []struct{ word, rule string }{
	{"refund", "Refunds are paid within 30 days."},
	{"ship", "We ship to Europe only."},
}

// addRules adds to a question what the handbook says. Effective is the item's own; the Request stays as it came.
func addRules(_ context.Context, item *batch.Item) error {
	question := item.Request.UserMessage
	for _, entry := range handbook {
		if strings.Contains(strings.ToLower(question), entry.word) {
			question += " (Handbook: " + entry.rule + ")"
		}
	}
	item.Effective.Messages[len(item.Effective.Messages)-1] = batch.UserMessage(question)
	return nil
}
