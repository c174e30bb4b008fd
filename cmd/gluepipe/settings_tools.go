package main

import (
	"time"

	"github.com/spf13/pflag"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// toolSettings is what can be said about the tools that a model may call.
type toolSettings struct {
	servers           []string // commands, URLs, and names that the configuration file defines
	tools             []string // "" is every tool there is
	toolsPolicy       string   // "" is byName
	maxToolIterations int
	toolOrder         string
	toolTimeout       time.Duration
	maxToolResult     int64
}

// The policies: what of the tools that change something may be called. Without one, those may that were named.
const (
	policyReadOnly = "read-only"
	policyAll      = "all"
)

func defaultToolSettings() toolSettings {
	return toolSettings{
		maxToolIterations: 10, toolOrder: string(batch.Parallel), toolTimeout: time.Minute, maxToolResult: 256 << 10,
	}
}

// choiceFlags adds the flags that decide which tools a request has.
func (s *toolSettings) choiceFlags(flags *pflag.FlagSet) {
	s.serversFlag(flags)
	flags.Var(listValue{&s.tools}, "tools", "the tools the model may call; * is all but the built-in calculate and now (default *)")
}

func (s *toolSettings) serversFlag(flags *pflag.FlagSet) {
	flags.Var(serversValue{&s.servers}, "mcp",
		"take the tools of an MCP server: a command, a URL, or a name in the configuration; repeatable")
}

func (s *toolSettings) turnFlag(flags *pflag.FlagSet) {
	count(flags, &s.maxToolIterations, "max-tool-iterations", 0, "tool turns of one conversation; 0: no bound")
}

// callFlags adds the flags that say how tools are called.
func (s *toolSettings) callFlags(flags *pflag.FlagSet) {
	s.policyFlag(flags)
	choice(flags, &s.toolOrder, "tool-execution-order", "of the calls that a model makes in one turn",
		string(batch.Parallel), string(batch.Sequential))
	s.boundFlags(flags)
}

func (s *toolSettings) policyFlag(flags *pflag.FlagSet) {
	choice(flags, &s.toolsPolicy, "tools-policy",
		"which tools may be called: those that change nothing, or all (default: the first, and what you name)", policyReadOnly, policyAll)
}

func (s *toolSettings) boundFlags(flags *pflag.FlagSet) {
	duration(flags, &s.toolTimeout, "tool-timeout", "of one tool call; 0: none")
	size(flags, &s.maxToolResult, "max-tool-result", "a longer answer of a tool is cut")
}

// serversValue takes a server. Given again, it adds one.
type serversValue struct{ to *[]string }

func (v serversValue) Type() string   { return "COMMAND|URL" }
func (v serversValue) String() string { return "" } // a command may hold a secret

func (v serversValue) Set(text string) error {
	*v.to = append(*v.to, text)
	return nil
}
