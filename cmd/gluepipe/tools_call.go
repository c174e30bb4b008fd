package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/tool"
)

func (a *app) toolsCallCommand() *cobra.Command {
	s := defaultSettings()
	cmd := &cobra.Command{
		Use:   "call NAME [ARGUMENTS]",
		Short: "Call a tool, as a model would",
		Long: `call calls one tool, with ARGUMENTS as a JSON object ("-" is standard input, none are {}), and prints its answer as a
model would read it. The exit code is 1 where the call failed. The tool is named, so that it may change things, unless
--tools-policy is read-only.`,
		Example: `  gluepipe tools call calculate '{"expression": "123 * 456"}'

  gluepipe tools call get_weather '{"location": "Tokyo"}' --mcp 'node weather-server.js'`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 {
				return usagef("tools call takes a tool's name and its arguments as one JSON object, got %d arguments", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			lookup, err := a.loadSettings(cmd.Flags(), "", s.config)
			if err != nil {
				return err
			}
			call := batch.ToolCall{Name: args[0]}
			if len(args) > 1 {
				call.Arguments = args[1]
			}
			if call.Arguments == standard {
				text, err := io.ReadAll(a.in)
				if err != nil {
					return fmt.Errorf("reading the arguments: %w", err)
				}
				call.Arguments = string(text)
			}
			return a.callTool(cmd.Context(), s, lookup, call)
		},
	}
	s.serversFlag(cmd.Flags())
	s.policyFlag(cmd.Flags())
	s.boundFlags(cmd.Flags())
	s.toolsCommonFlags(cmd.Flags())
	return cmd
}

// callTool calls a tool and prints what a model would read.
func (a *app) callTool(ctx context.Context, s *settings, lookup lookupFunc, call batch.ToolCall) error {
	s.tools = []string{call.Name}
	a.origins["tools"] = "tools call"
	tools, err := a.openTools(ctx, s, lookup, messages{a.err})
	if err != nil {
		return err
	}
	defer tools.close(ctx)
	ctx, stop := untilSignal(ctx)
	defer stop()
	execution := tool.Run(ctx, tools.tools, []batch.ToolCall{call}, tool.RunOptions{
		Timeout: s.toolTimeout, MaxResult: s.maxToolResult, Turn: 1, Approve: tools.approve,
	})[0]
	switch {
	case ctx.Err() != nil:
		return statusError(exitInterrupted)
	case execution.Error:
		return fmt.Errorf("%s: %s", call.Name, strings.TrimPrefix(execution.Result, "error: "))
	}
	answer := strings.TrimSuffix(execution.Result, "\n") + "\n"
	if isTerminal(a.out) {
		answer = printable(answer)
	}
	_, err = io.WriteString(a.out, answer)
	return err
}
