package command

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/tool"
	"github.com/gluepipe/gluepipe/stages/tool/internal/process"
)

// New makes a tool of a program, which is started anew for each call. The error says what is wrong with the configuration,
// also that the program or its directory isn't there.
//
// The answer is what the program writes to its standard output, without a newline at the end. An exit status other than 0
// is a failure, whose text has the status, the end of the standard error, and the beginning of the output. When a call's
// context ends, the program and all that it has started are killed, and the call returns. The tool is safe for concurrent
// use.
func New(c Config) (batch.Tool, error) {
	program, err := c.program()
	if err != nil {
		return batch.Tool{}, fmt.Errorf("tool %q: %w", c.Name, err)
	}
	cmd := &command{program: program, maxOutput: cmp.Or(c.MaxOutput, defaultMaxOutput)}
	t, err := tool.FromSchema(c.Name, c.Description, c.Parameters, cmd.call)
	if err != nil {
		return batch.Tool{}, err
	}
	fields, err := readFields(t.Parameters)
	if err != nil {
		return batch.Tool{}, fmt.Errorf("tool %q: %w", c.Name, err)
	}
	if cmd.arguments, err = parseArguments(c.Command[1:], fields); err != nil {
		return batch.Tool{}, fmt.Errorf("tool %q: %w", c.Name, err)
	}
	t.ReadOnly, t.Destructive, t.Timeout = c.ReadOnly, c.Destructive, c.Timeout
	if n := cmp.Or(c.MaxConcurrent, defaultMaxConcurrent); n > 0 {
		t.Acquire = tool.Limit(n)
	}
	return t, nil
}

// command is the program that the calls of a tool start.
type command struct {
	program   process.Config
	arguments arguments
	maxOutput int64
}

func (c *command) call(ctx context.Context, arguments json.RawMessage) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", context.Cause(ctx)
	}
	program, stdin := c.program, arguments
	if c.arguments.templated() {
		stdin = nil
	}
	var err error
	if program.Args, err = c.arguments.render(arguments); err != nil {
		return "", fmt.Errorf("arguments: %w", err)
	}
	return run(ctx, program, stdin, c.maxOutput)
}
