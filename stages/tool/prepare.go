package tool

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// prepare finds what a call needs. The arguments are for the history, also where there is an error.
func prepare(tools []batch.Tool, call *batch.ToolCall) (*batch.Tool, json.RawMessage, error) {
	arguments, unreadable := readArguments(call.Arguments)
	tool, err := find(tools, call.Name)
	switch {
	case err != nil:
		return nil, arguments, err
	case unreadable != nil:
		return nil, arguments, fmt.Errorf("arguments: %w", unreadable)
	case tool.Call == nil:
		return nil, arguments, fmt.Errorf("the tool %q can't be run here", call.Name)
	}
	return tool, arguments, nil
}

// readArguments returns what a model wrote as JSON for the tool and the history: {} where it left them out, a JSON string
// where they are not JSON. The error says why they are not a tool's arguments.
func readArguments(written string) (json.RawMessage, error) {
	written = strings.TrimSpace(strings.ToValidUTF8(written, "\uFFFD"))
	var raw json.RawMessage
	switch err := json.Unmarshal([]byte(written), &raw); {
	case written == "", written == "null":
		return json.RawMessage("{}"), nil
	case err != nil:
		return batch.Text(written), fmt.Errorf("not valid JSON (%w); want one JSON object", err)
	case raw[0] != '{':
		return raw, fmt.Errorf("want a JSON object, got %s", excerpt(written))
	}
	return raw, nil
}

func excerpt(s string) string {
	const limit = 60
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "..."
}
