package tool

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// Builtins returns the built-in tools: [Calculate] and [Now]. The slice is the caller's.
func Builtins() []batch.Tool { return []batch.Tool{Calculate(), Now()} }

// Select returns the tools with the given names, in the order of names. It fails on a name that no tool has, and names the
// tools there are.
func Select(tools []batch.Tool, names ...string) ([]batch.Tool, error) {
	selected := make([]batch.Tool, len(names))
	for i, name := range names {
		tool, err := find(tools, name)
		if err != nil {
			return nil, err
		}
		selected[i] = *tool
	}
	return selected, nil
}

func find(tools []batch.Tool, name string) (*batch.Tool, error) {
	for i := range tools {
		if tools[i].Name == name {
			return &tools[i], nil
		}
	}
	if len(tools) == 0 {
		return nil, fmt.Errorf("unknown tool %q; there are no tools", name)
	}
	known := make([]string, len(tools))
	for i := range tools {
		known[i] = tools[i].Name
	}
	return nil, fmt.Errorf("unknown tool %q; the tools are: %s", name, strings.Join(known, ", "))
}

// Now returns the built-in tool "now", which answers the date and time in RFC 3339: "2026-03-01T14:05:09+01:00". Its
// argument timezone is an IANA name; left out it is UTC. Where the machine has no time zones, import time/tzdata.
func Now() batch.Tool {
	type arguments struct {
		Timezone string `json:"timezone,omitempty" jsonschema_description:"IANA name such as Europe/Berlin; UTC if left out"`
	}
	tool := New("now", "Tells the current date and time, in RFC 3339.",
		func(_ context.Context, a arguments) (string, error) {
			location, err := time.LoadLocation(a.Timezone)
			if err != nil || a.Timezone == "Local" { // where this program happens to run is not for the model to know
				return "", fmt.Errorf(`unknown timezone %q; use an IANA name such as "Europe/Berlin", or leave it out for UTC`,
					a.Timezone)
			}
			return time.Now().In(location).Format(time.RFC3339), nil
		})
	tool.ReadOnly = true
	return tool
}
