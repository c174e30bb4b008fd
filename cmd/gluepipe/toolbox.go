package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
	"github.com/gluepipe/gluepipe/stages/tool"
	"github.com/gluepipe/gluepipe/stages/tool/command"
	"github.com/gluepipe/gluepipe/stages/tool/httptool"
	"github.com/gluepipe/gluepipe/stages/tool/mcp"
)

// startNote is how long servers may take to start before people are told what is waited for: npx installs them at first.
const startNote = 3 * time.Second

// everything is the name that stands for the tools of all servers and of the configuration file.
const everything = "*"

// toolbox is the tools of a run, and the servers behind them.
type toolbox struct {
	tools   []batch.Tool
	named   map[string]bool // those that somebody asked for by name
	policy  string
	servers *mcp.Servers // nil: none
	hide    *strings.Replacer

	calls sync.WaitGroup // of the programs and URLs of the configuration

	mu      sync.Mutex
	refused map[string]int // calls by tool
}

// openTools starts the servers and makes the tools of a run. What the servers log goes to log.
func (a *app) openTools(ctx context.Context, s *settings, lookup lookupFunc, log io.Writer) (*toolbox, error) {
	if s.embed != "" { // what is embedded calls no tools
		return &toolbox{}, nil
	}
	ctx, stop := untilSignal(ctx)
	defer stop()
	v := &variables{lookup: lookup, secrets: s.keys(lookup)}
	custom, err := a.customTools(s, v)
	if err != nil {
		return nil, err
	}
	servers, err := a.mcpServers(s, v)
	if err != nil {
		return nil, err
	}
	b := &toolbox{policy: s.toolsPolicy, named: map[string]bool{}, refused: map[string]int{}, hide: v.hide()}
	for i := range custom {
		b.named[custom[i].Name] = true
		custom[i] = b.counted(custom[i])
	}
	available := custom
	if len(servers) > 0 {
		logger := newLogger(&hiding{log, b.hide}, s.logLevel, s.logFormat)
		for i := range servers {
			servers[i].Logger = logger
		}
		waiting := time.AfterFunc(startNote, func() {
			_ = writeLine(log, "waiting for %s to start", plural(len(servers), "MCP server"))
		})
		defer waiting.Stop()
		if b.servers, err = mcp.Connect(ctx, servers...); err != nil {
			if ctx.Err() != nil {
				return nil, statusError(exitInterrupted)
			}
			return nil, &hiddenError{err, b.hide}
		}
		// A name means the same whatever else is chosen, and no server can take one that means another tool.
		taken := append(a.definitions.names(), namesOf(tool.Builtins())...)
		available = append(available, b.servers.Tools(taken...)...)
	}
	if err := b.choose(s.tools, available); err != nil {
		b.close(ctx)
		return nil, usagef("%s: %w", a.nameOf("tools"), err)
	}
	for i := range b.tools {
		b.tools[i] = tool.Redact(b.tools[i], v.secrets...)
	}
	return b, nil
}

// keys returns the keys that calls of models may carry.
func (s *settings) keys(lookup lookupFunc) []string {
	keys := slices.Clone(s.apiKeys)
	for _, provider := range llm.Providers() {
		if key, _ := lookup(provider.KeyVar); key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}

// choose takes the tools with these names, or all that were made available. Built-in tools are there by name alone.
func (b *toolbox) choose(names []string, available []batch.Tool) error {
	chosen, known := names, available
	for _, t := range tool.Builtins() {
		if !slices.Contains(namesOf(available), t.Name) {
			known = append(slices.Clip(known), t)
		}
	}
	if len(names) == 0 {
		chosen = []string{everything}
	}
	if at := slices.Index(chosen, everything); at >= 0 {
		rest := slices.DeleteFunc(namesOf(available), func(name string) bool { return slices.Contains(names, name) })
		again := func(name string) bool { return name == everything }
		chosen = slices.Concat(chosen[:at], rest, slices.DeleteFunc(slices.Clone(chosen[at+1:]), again))
	}
	for _, name := range names {
		b.named[name] = true
	}
	var err error
	b.tools, err = tool.Select(known, chosen...)
	return err
}

func namesOf(tools []batch.Tool) []string {
	names := make([]string, len(tools))
	for i := range tools {
		names[i] = tools[i].Name
	}
	return names
}

// explain says what else may have changed in requests that don't match an output.
func (b *toolbox) explain(err error) error {
	if _, changed := errors.AsType[*sink.ChangedError](err); changed && b.servers != nil {
		return fmt.Errorf("%w; the tools are those that the MCP servers list now: `gluepipe tools` shows them, and --tools keeps to some", err)
	}
	return err
}

// withoutSecrets hides in a text what is hidden in answers of tools.
func (b *toolbox) withoutSecrets(text string) string {
	if b.hide == nil {
		return text
	}
	return b.hide.Replace(text)
}

// mcpServers returns the servers that are asked for.
func (a *app) mcpServers(s *settings, v *variables) ([]mcp.Server, error) {
	servers := make([]mcp.Server, 0, len(s.servers))
	for _, text := range s.servers {
		defined := a.definitions.server(text)
		server, err := defined.fill(v)
		if err != nil {
			where := a.nameOf("mcp")
			if defined.Name != "" {
				where = fmt.Sprintf("%s: %s: %s", a.definitions.path, serversKey, defined.Name)
			}
			return nil, usagef("%s: %w", where, err)
		}
		servers = append(servers, server)
	}
	return servers, nil
}

// customTools makes the tools of the configuration file that are asked for.
func (a *app) customTools(s *settings, v *variables) ([]batch.Tool, error) {
	if a.definitions == nil {
		return nil, nil
	}
	all := len(s.tools) == 0 || slices.Contains(s.tools, everything)
	var tools []batch.Tool
	for _, defined := range a.definitions.tools {
		if !all && !slices.Contains(s.tools, defined.Name) {
			continue
		}
		made, err := defined.make(v)
		if err != nil {
			return nil, usagef("%s: %s: %w", a.definitions.path, customToolsKey, err)
		}
		tools = append(tools, made)
	}
	return tools, nil
}

func (t *customTool) make(v *variables) (made batch.Tool, err error) {
	if t.http.URL != "" {
		config := t.http
		if config.URL, err = v.expand(config.URL); err == nil {
			v.keepPassword(config.URL)
			config.Header, err = v.header(config.Header)
		}
		if err == nil {
			made, err = httptool.New(config)
		}
	} else {
		config := t.Config
		if config.Env, err = v.environment(config.Env); err == nil {
			made, err = command.New(config)
		}
	}
	return made, err
}
