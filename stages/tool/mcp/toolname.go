package mcp

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// maxToolName is how long models let a tool's name be, in letters, digits, underscores and hyphens. MCP allows 128 bytes,
// with dots and slashes among them.
const maxToolName = 64

var invalidInName = regexp.MustCompile(`[^a-zA-Z0-9_-]`)

// toolNames returns a name for each tool that models take and that no other has, nor taken; "" where there is none. Names of
// servers' tools that collide get their server's name as a prefix, all of them, so that who calls one knows whose it is.
func toolNames(tools []batch.Tool, taken []string) []string {
	names := make([]string, len(tools))
	for i := range tools {
		names[i] = fit(invalidInName.ReplaceAllString(tools[i].Name, "_"), &tools[i])
	}
	distinguish(tools, names)
	rename(names, taken, func(i int) string { return fit(tools[i].Server+"_"+names[i], &tools[i]) })
	rename(names, taken, func(i int) string { return hashed(names[i], &tools[i]) })

	used := make(map[string]bool, len(names)+len(taken))
	for _, name := range taken {
		used[name] = true
	}
	for i, name := range names { // a server may choose its names so that even hashes are equal
		if used[name] {
			names[i] = ""
		}
		used[name] = true
	}
	return names
}

// distinguish keeps apart the tools of one server whose names became one.
func distinguish(tools []batch.Tool, names []string) {
	type own struct{ server, name string }
	count := make(map[own]int, len(tools))
	for i := range tools {
		count[own{tools[i].Server, names[i]}]++
	}
	for i := range tools {
		if count[own{tools[i].Server, names[i]}] > 1 {
			names[i] = hashed(names[i], &tools[i])
		}
	}
}

// rename gives another name to each tool whose name isn't its alone.
func rename(names, taken []string, other func(i int) string) {
	count := make(map[string]int, len(names)+len(taken))
	for _, name := range slices.Concat(names, taken) {
		count[name]++
	}
	for i, name := range names {
		if count[name] > 1 {
			names[i] = other(i)
		}
	}
}

// fit cuts a name that is too long.
func fit(name string, t *batch.Tool) string {
	if len(name) <= maxToolName {
		return name
	}
	return hashed(name, t)
}

// hashed ends a name by a hash of what it was made from: the same tool has the same name in every run.
func hashed(name string, t *batch.Tool) string {
	sum := sha256.Sum256([]byte(t.Server + "\x00" + t.Name))
	suffix := "_" + hex.EncodeToString(sum[:4])
	return name[:min(len(name), maxToolName-len(suffix))] + suffix
}
