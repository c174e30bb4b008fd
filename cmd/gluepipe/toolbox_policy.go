package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/tool"
)

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
