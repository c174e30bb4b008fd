package stages

import (
	"encoding/json"
	"maps"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// paramsOf returns the params of the item's next call: its own, but for a tool_choice that forces the model to call a tool. In
// the turns after tools were run it would force the model to call them for ever.
func paramsOf(item *batch.Item) map[string]any {
	params := item.Effective.Params
	choice, ok := params["tool_choice"]
	if !ok || item.ToolTurns == 0 {
		return params
	}
	relaxed, changed := relax(choice)
	if !changed {
		return params
	}
	params = maps.Clone(params)
	if relaxed == nil {
		delete(params, "tool_choice")
	} else {
		params["tool_choice"] = relaxed
	}
	return params
}

// relax takes the force out of a tool choice: out of {"type":"allowed_tools"} alone, so that the other tools stay forbidden. nil
// is what is left of any other that forces.
func relax(choice any) (relaxed json.RawMessage, changed bool) {
	data, err := json.Marshal(choice)
	if err != nil {
		return nil, false // it can't be sent either
	}
	var mode string
	if json.Unmarshal(data, &mode) == nil {
		return nil, forces(mode) // null is ""
	}
	var kind struct {
		Type string `json:"type"`
	}
	if json.Unmarshal(data, &kind) != nil {
		return nil, false
	}
	switch kind.Type {
	case "allowed_tools":
		return relaxMode(data)
	case "auto", "none":
		return nil, false
	}
	return nil, true // one that is named
}

// forces tells whether a mode makes the model call a tool; "any" is what some servers call "required".
func forces(mode string) bool { return mode == "required" || mode == "any" }

// relaxMode makes "auto" of the mode of allowed tools, which stands beside them in some servers' dialects and around them in
// others'.
func relaxMode(data json.RawMessage) (json.RawMessage, bool) {
	var members map[string]json.RawMessage
	if json.Unmarshal(data, &members) != nil || members == nil {
		return nil, false
	}
	inner, changed := relaxMode(members["allowed_tools"])
	if changed {
		members["allowed_tools"] = inner
	}
	var mode string
	if json.Unmarshal(members["mode"], &mode) == nil && forces(mode) {
		members["mode"], changed = json.RawMessage(`"auto"`), true
	}
	if !changed {
		return nil, false
	}
	relaxed, err := json.Marshal(members)
	return relaxed, err == nil
}
