package stages

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/internal/jsonscan"
	"github.com/gluepipe/gluepipe/stages/llm"
)

// resolved is a request with what most requests have filled in, in one allocation.
type resolved struct {
	request      batch.Request
	executeTools bool
	messages     [2]batch.Message
}

// resolve fills in the defaults and returns what is wrong with the request.
func (v *validator) resolve(res *resolved) error {
	r := &res.request
	if r.Model == "" {
		r.Model = v.Model
	}
	if r.MaxToolIterations == 0 {
		r.MaxToolIterations = v.MaxToolIterations
	}
	if r.Timeout == 0 {
		r.Timeout = v.Timeout
	}
	if r.ExecuteTools == nil {
		res.executeTools = true
		r.ExecuteTools = &res.executeTools
	}
	if r.Input != nil {
		if err := v.resolveInput(r); err != nil {
			return err
		}
	} else {
		if err := v.resolveMessages(res); err != nil {
			return err
		}
		if err := v.resolveTools(r); err != nil {
			return err
		}
	}
	if err := v.resolveParams(r); err != nil {
		return err
	}
	return checkLimits(r)
}

// resolveInput checks a request for embeddings, to which nothing of a chat applies.
func (v *validator) resolveInput(r *batch.Request) error {
	for _, other := range [...]struct {
		field string
		set   bool
	}{
		{"user_message", r.UserMessage != ""},
		{"messages", r.Messages != nil},
		{"system_prompt", r.SystemPrompt != ""},
		{"tools", len(r.Tools) > 0},
		{"response_format", r.ResponseFormat != nil},
	} {
		if other.set {
			return fmt.Errorf(`fields "input" and %q: want embeddings or a chat`, other.field)
		}
	}
	if _, twice := r.Params["input"]; twice {
		return errors.New(`field "params": "input" is a field of the request itself`)
	}
	switch n := llm.CountInputs(r.Input); {
	case n == 0 || !valid(r.Input):
		return errors.New(`field "input": want a text or a list, which are not empty`)
	case n > 1 && !v.KeepRaw:
		return fmt.Errorf(`field "input": want one text, got %d: a result holds one embedding`, n)
	}
	return nil
}

func (v *validator) resolveMessages(res *resolved) error {
	r := &res.request
	system := r.SystemPrompt
	if system == "" {
		system = v.SystemPrompt
	}
	switch {
	case r.UserMessage != "" && r.Messages != nil:
		return errors.New(`fields "user_message" and "messages": want one of the two`)
	case r.Messages != nil && len(r.Messages) == 0:
		return errors.New(`field "messages": want at least one message`)
	case r.UserMessage == "" && r.Messages == nil:
		return errors.New(`field "user_message" is missing`)
	case r.Messages == nil:
		r.Messages = res.messages[:0]
		if system != "" {
			r.Messages = append(r.Messages, batch.SystemMessage(system))
		}
		r.Messages = append(r.Messages, batch.UserMessage(r.UserMessage))
		return nil
	}
	for i := range r.Messages {
		m := &r.Messages[i]
		if m.Role == "" {
			return fmt.Errorf(`field "messages": message %d has no role`, i+1)
		}
		if m.Content != nil && !valid(m.Content) {
			return fmt.Errorf(`field "messages": the content of message %d is not JSON; batch.Text makes it of a text`, i+1)
		}
	}
	chat := r.Messages
	ownSystem := chat[0].Role == "system" || chat[0].Role == "developer"
	switch {
	case ownSystem && r.SystemPrompt != "":
		return errors.New(`fields "system_prompt" and "messages": both have a system prompt`)
	case ownSystem || system == "":
		r.Messages = slices.Clone(chat) // tool turns are appended: never into the caller's array
	default:
		r.Messages = append([]batch.Message{batch.SystemMessage(system)}, chat...)
	}
	return nil
}

func (v *validator) resolveTools(r *batch.Request) error {
	if r.Tools == nil {
		r.Tools = v.Tools
		return nil
	}
	if len(r.Tools) == 0 {
		return nil
	}
	tools := slices.Clone(r.Tools)
	for i := range tools {
		t := &tools[i]
		known := slices.IndexFunc(v.Tools, func(k batch.Tool) bool { return k.Name == t.Name })
		switch {
		case t.Call != nil || t.Name == "" && t.Raw != nil: // the caller's own, or the provider's
		case t.Raw == nil && t.Parameters == nil && t.Description == "": // a name alone
			if known < 0 {
				return fmt.Errorf(`field "tools": unknown tool %q (known: %s)`, t.Name, toolNames(v.Tools))
			}
			*t = v.Tools[known]
		case known >= 0: // the request's definition, the run's code and what is known of it
			code := v.Tools[known]
			code.Description, code.Parameters, code.Raw = t.Description, t.Parameters, t.Raw
			*t = code
		}
		for _, other := range tools[:i] {
			if t.Name != "" && other.Name == t.Name {
				return fmt.Errorf(`field "tools": %q is there twice`, t.Name)
			}
		}
	}
	r.Tools = tools
	return nil
}

// valid tells whether text is JSON, without encoding/json where it is usual.
func valid(text []byte) bool { return jsonscan.Valid(text) || json.Valid(text) }

func toolNames(tools []batch.Tool) string {
	if len(tools) == 0 {
		return "none"
	}
	names := make([]string, len(tools))
	for i, t := range tools {
		names[i] = t.Name
	}
	return strings.Join(names, ", ")
}

func (v *validator) resolveParams(r *batch.Request) error {
	if _, ok := r.Params["response_format"]; ok && r.ResponseFormat != nil {
		return errors.New(`fields "params" and "response_format": both have a response format`)
	}
	if own := r.Params; len(v.Params) > 0 || own != nil {
		r.Params = make(map[string]any, len(v.Params)+len(own))
		maps.Copy(r.Params, v.Params)
		if r.ResponseFormat != nil {
			delete(r.Params, "response_format")
		}
		maps.Copy(r.Params, own)
	}
	if err := checkParams(r.Params, v.KeepRaw); err != nil {
		return fmt.Errorf(`field "params": %w`, err)
	}
	return nil
}

func checkParams(params map[string]any, keepRaw bool) error {
	for _, owned := range []string{"model", "messages", "tools"} {
		if _, ok := params[owned]; ok {
			return fmt.Errorf(`%q is a field of the request itself`, owned)
		}
	}
	if isJSON(params["stream"], "true") {
		return errors.New(`"stream" is not supported: results are whole answers`)
	}
	if n, ok := params["n"]; ok && !keepRaw && !isJSON(n, "1") && !isJSON(n, "null") {
		return errors.New(`"n": want 1: a result holds one answer`)
	}
	return checkEncodable(params)
}

func isJSON(v any, want string) bool {
	if v == nil {
		return want == "null"
	}
	encoded, err := json.Marshal(v)
	return err == nil && string(encoded) == want
}

func checkLimits(r *batch.Request) error {
	if r.MaxToolIterations < -1 {
		return fmt.Errorf(`field "max_tool_iterations": want 1 or more, or -1 for no bound, got %d`, r.MaxToolIterations)
	}
	if err := r.ToolExecutionOrder.Validate(); err != nil {
		return fmt.Errorf(`field "tool_execution_order": %w`, err)
	}
	if r.ResponseFormat != nil && !valid(r.ResponseFormat) {
		return errors.New(`field "response_format": not JSON`)
	}
	if err := checkEncodable(r.Metadata); err != nil {
		return fmt.Errorf(`field "metadata": %w`, err)
	}
	return nil
}

// checkEncodable finds what a Go program can put into a map and JSON can't hold, before it is paid for and can't be written.
func checkEncodable(m map[string]any) error {
	for key, value := range m {
		switch value.(type) {
		case nil, string, bool, int, int64:
			continue
		}
		if _, err := json.Marshal(value); err != nil {
			return fmt.Errorf("%q: %w", key, err)
		}
	}
	return nil
}
