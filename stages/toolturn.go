package stages

import (
	"cmp"
	"context"
	"time"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/tool"
)

// runTools runs the tools that a message asks for, and adds it and their answers to the conversation.
func (e *Executor) runTools(ctx context.Context, item *batch.Item, message batch.Message) {
	r, request, calls := item.Result, item.Effective, message.ToolCalls
	begin := time.Now()
	ctx, cancel := e.withinRequest(ctx, item)
	defer cancel()
	executions := tool.Run(ctx, request.Tools, calls, tool.RunOptions{
		Timeout: e.config.ToolTimeout, Order: cmp.Or(request.ToolExecutionOrder, e.config.ToolOrder),
		MaxResult: e.config.MaxToolResult, Turn: item.ToolTurns + 1, Approve: e.config.ApproveTool,
	})
	r.ElapsedTime += time.Since(begin)
	item.ToolTurns++
	r.ToolExecutionHistory = append(r.ToolExecutionHistory, executions...)
	r.ToolCallsMade += len(executions)
	request.Messages = append(request.Messages, message)
	for i, execution := range executions {
		request.Messages = append(request.Messages, batch.ToolMessage(calls[i].ID, execution.Result))
	}
}

// executable tells whether the turn can be executed: a call of a tool that is defined without code is the caller's to make,
// and so is then the whole turn. A tool that nobody knows is executed, as an error that the model can mend.
func executable(tools []batch.Tool, calls []batch.ToolCall) bool {
	for _, call := range calls {
		for i := range tools {
			if tools[i].Name == call.Name && tools[i].Call == nil {
				return false
			}
		}
	}
	return true
}
