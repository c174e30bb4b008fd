package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gluepipe/gluepipe/stages/batch"
)

func (a *app) toolsCommand() *cobra.Command {
	s := defaultSettings()
	asJSON := false
	cmd := &cobra.Command{
		Use:   "tools",
		Short: "List the tools that a run would have",
		Long: `tools lists the tools that a run with the same settings would have: those of MCP servers, those that gluepipe.yaml
defines, and the built-in ones that --tools names. It starts the servers, asks them, and ends them; no model is called.`,
		Example: `  # What can this server do?
  gluepipe tools --mcp 'npx -y @modelcontextprotocol/server-everything'

  # One JSON object a line, with the whole schema of the arguments.
  gluepipe tools --tools calculate,now --json

  # Try one.
  gluepipe tools call calculate '{"expression": "123 * 456"}'`,
		Args: a.knownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			lookup, err := a.loadSettings(cmd.Flags(), "", s.config)
			if err != nil {
				return err
			}
			return a.listTools(cmd.Context(), s, lookup, asJSON)
		},
	}
	s.choiceFlags(cmd.Flags())
	s.policyFlag(cmd.Flags())
	s.toolsCommonFlags(cmd.Flags())
	toggle(cmd.Flags(), &asJSON, "json", "one JSON object a line")
	call := a.toolsCallCommand()
	call.Flags().SortFlags = false
	completeChoices(call)
	cmd.AddCommand(call)
	return cmd
}

func (s *settings) toolsCommonFlags(flags *pflag.FlagSet) {
	s.configFlag(flags)
	s.logFlags(flags)
}

// listTools prints the tools of a run.
func (a *app) listTools(ctx context.Context, s *settings, lookup lookupFunc, asJSON bool) error {
	tools, err := a.openTools(ctx, s, lookup, messages{a.err})
	if err != nil {
		return err
	}
	defer tools.close(ctx)
	out := bufio.NewWriter(a.out)
	for i := range tools.tools {
		t := &tools.tools[i]
		if asJSON {
			err = writeToolJSON(a.records(out), t, tools.isRefused(ctx, t))
		} else {
			err = writeTool(out, t, tools.isRefused(ctx, t))
		}
		if err != nil {
			return err
		}
	}
	if len(tools.tools) == 0 {
		a.notef("no tools: name built-in ones with --tools calculate,now, servers with --mcp, or define some in %s", defaultConfigFile)
	}
	return finish(out, nil, 0)
}

// writeTool writes a tool for people.
func writeTool(w io.Writer, t *batch.Tool, refused bool) error {
	lines := []string{t.Name + traitsOf(t, refused)}
	for line := range strings.Lines(strings.TrimSpace(t.Description)) {
		lines = append(lines, "  "+strings.TrimRight(line, "\r\n"))
	}
	for _, line := range parameterLines(t) {
		lines = append(lines, "    "+line)
	}
	for _, line := range append(lines, "") {
		if err := writeLine(w, "%s", line); err != nil {
			return err
		}
	}
	return nil
}

// traitsOf tells in brackets whose a tool is and what it may do, if there is something to tell.
func traitsOf(t *batch.Tool, refused bool) string {
	var traits []string
	if t.Server != "" {
		traits = append(traits, t.Server)
	}
	switch {
	case t.ReadOnly:
		traits = append(traits, "read-only")
	case t.Destructive:
		traits = append(traits, "destructive")
	}
	if refused {
		traits = append(traits, "refused by the policy")
	}
	if traits == nil {
		return ""
	}
	return " (" + strings.Join(traits, ", ") + ")"
}

// parametersOf returns the schema of a tool's arguments in one line.
func parametersOf(t *batch.Tool) json.RawMessage {
	if t.Parameters == nil {
		return json.RawMessage(`{"type":"object","properties":{}}`)
	}
	return t.Parameters
}

func writeToolJSON(w io.Writer, t *batch.Tool, refused bool) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(struct {
		Name        string          `json:"name"`
		Server      string          `json:"server,omitempty"`
		Description string          `json:"description,omitempty"`
		Parameters  json.RawMessage `json:"parameters"`
		ReadOnly    bool            `json:"read_only"`
		Destructive bool            `json:"destructive"`
		Refused     bool            `json:"refused,omitempty"`
	}{t.Name, t.Server, t.Description, parametersOf(t), t.ReadOnly, t.Destructive, refused})
}
