package pipeline

import (
	"context"
	"fmt"

	"go.uber.org/zap"

	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/ids"
)

// chain returns the stages of one run.
func (p *BatchProcessor) chain(
	sink batch.Sink, engine *Engine, tracker *stages.Tracker, cancel context.CancelCauseFunc,
) []batch.Stage {
	c := p.config
	executor := stages.NewExecutor(stages.ExecutorConfig{
		Completer: p.models, MaxConcurrent: c.MaxConcurrent, ToolTimeout: c.ToolTimeout, RequestTimeout: c.RequestTimeout,
		ToolOrder: c.ToolExecutionOrder, MaxToolResult: c.MaxToolResult, ApproveTool: c.ApproveTool,
		MaxRepairs: c.MaxRepairs, AllowTruncated: c.AllowTruncated, KeepRaw: c.KeepRaw, EmbedBatch: c.EmbedBatch, Tracker: tracker,
	})
	chain := p.before(sink)
	for i, stage := range c.BeforeExecute {
		chain = append(chain, watched(fmt.Sprintf("BeforeExecute[%d]", i), engine.stall, stage))
	}
	chain = append(chain, stages.Execute(executor), stages.Retry(executor, c.Retry))
	for i, stage := range c.AfterExecute {
		chain = append(chain, watched(fmt.Sprintf("AfterExecute[%d]", i), engine.stall, stage))
	}
	if c.AbortAfter > 0 && c.ErrorStrategy != batch.FailFast { // whose first failure ends the run anyway
		chain = append(chain, stages.Breaker(c.AbortAfter, func(cause error) {
			c.Logger.Warn("the run ends early: finishing what is in flight", zap.Error(cause))
			engine.Drain()
		}))
	}
	return append(chain, stages.Collect(c.ErrorStrategy, cancel))
}

// before returns the stages before the first call.
func (p *BatchProcessor) before(sink batch.Sink) []batch.Stage {
	index, resumes := sink.(stages.Index)
	var known *ids.Index
	if keeps, ok := sink.(interface{ IDs() *ids.Index }); ok {
		known = keeps.IDs()
	}
	c := p.config
	chain := []batch.Stage{stages.Validate(stages.Defaults{
		Model: c.Model, SystemPrompt: c.SystemPrompt, Tools: c.Tools, MaxToolIterations: c.MaxToolIterations,
		Timeout: c.Timeout, Params: c.Params, Schema: p.schema, SchemaInPrompt: c.SchemaInPrompt, KeepRaw: c.KeepRaw,
		Fingerprints: resumes, Known: known,
	})}
	if resumes {
		chain = append(chain, stages.Resume(index))
	}
	return chain
}
