package tool

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// ApproveReadOnly is a [RunOptions].Approve that approves the tools that are ReadOnly and not Destructive, whatever their
// arguments. It returns a [*RefusedError] for the others, which says what would allow them. It is safe for concurrent use.
func ApproveReadOnly(_ context.Context, t *batch.Tool, _ json.RawMessage) error {
	if t.ReadOnly && !t.Destructive {
		return nil
	}
	return &RefusedError{Reason: fmt.Sprintf("the tool %q may change something, and this run approves read-only tools alone. "+
		"Whoever started it can allow the tool (by naming it, or with a policy of all tools); calling it again can't.", t.Name)}
}
