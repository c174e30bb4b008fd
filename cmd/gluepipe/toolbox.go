package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

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
		available = append(available, b.servers.Tools(namesOf(custom)...)...)
	}
	for _, t := range custom {
		b.named[t.Name] = true
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
		chosen = slices.Concat(chosen[:at], rest, chosen[at+1:])
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

// approve says whether a tool may be called, and counts where it may not.
func (b *toolbox) approve(ctx context.Context, t *batch.Tool, arguments json.RawMessage) error {
	if b.mayCall(t.Name) {
		return nil
	}
	err := tool.ApproveReadOnly(ctx, t, arguments)
	if err != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.refused[t.Name]++
	}
	return err
}

// mayCall tells whether a tool may be called, whatever it does.
func (b *toolbox) mayCall(name string) bool {
	return b.policy == policyAll || b.policy == "" && b.named[name]
}

// isRefused tells whether calls of a tool are refused.
func (b *toolbox) isRefused(ctx context.Context, t *batch.Tool) bool {
	return !b.mayCall(t.Name) && tool.ApproveReadOnly(ctx, t, nil) != nil
}

// notes tells people what is refused, before it is asked for.
func (b *toolbox) notes(ctx context.Context) (notes []string) {
	refused := map[string][]string{}
	for i := range b.tools {
		if t := &b.tools[i]; b.isRefused(ctx, t) {
			refused[t.Server] = append(refused[t.Server], t.Name)
		}
	}
	for _, server := range slices.Sorted(maps.Keys(refused)) {
		notes = append(notes, fmt.Sprintf("%s: calls of %s are refused, which may change something; allow them with --tools NAME,... or --tools-policy all",
			cmp.Or(server, "tools"), strings.Join(refused[server], ", ")))
	}
	return notes
}

// refusals tells people what was refused, or is "".
func (b *toolbox) refusals() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	total := 0
	var each []string
	for _, name := range slices.Sorted(maps.Keys(b.refused)) {
		total += b.refused[name]
		each = append(each, fmt.Sprintf("%s %s", commas(b.refused[name]), name))
	}
	if total == 0 {
		return ""
	}
	return fmt.Sprintf("%s refused by the tools policy: %s", plural(total, "tool call"), strings.Join(each, ", "))
}

// close ends the servers. It may be called on nil.
func (b *toolbox) close(ctx context.Context) {
	if b != nil && b.servers != nil {
		_ = b.servers.Close(context.WithoutCancel(ctx)) // an error of a server that ends is nobody's any more
	}
}

// kill ends the servers at once.
func (b *toolbox) kill(ctx context.Context) {
	if b != nil && b.servers != nil {
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		_ = b.servers.Close(ctx)
	}
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
