package llm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/sashabaranov/go-openai"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// openAIRequest reads the call's own body into go-openai's request, and compares what that would send with it. So nothing
// is lost unseen, whatever fields a version of go-openai has.
func openAIRequest(call *Call) (openai.ChatCompletionRequest, error) {
	var req openai.ChatCompletionRequest
	body, err := AppendBody(nil, withArguments(call))
	if err != nil {
		return req, fmt.Errorf("writing the request: %w", err)
	}
	if err := json.Unmarshal(body, &req); err != nil {
		var mistyped *json.UnmarshalTypeError
		if errors.As(err, &mistyped) && mistyped.Field != "" {
			return req, fmt.Errorf(
				"go-openai can't send %q as a %s: leave it out, or use NewClient", mistyped.Field, mistyped.Value)
		}
		return req, fmt.Errorf("go-openai can't send the request: %w", err)
	}
	if err := openai.NewReasoningValidator().Validate(req); err != nil {
		return req, fmt.Errorf("go-openai refuses the request: %w", err)
	}
	sent, err := json.Marshal(req)
	if err != nil {
		return req, fmt.Errorf("go-openai can't send the request: %w", err)
	}
	want, err := decodeNumbers(body)
	if err != nil {
		return req, err
	}
	got, err := decodeNumbers(sent)
	if err != nil {
		return req, err
	}
	if lost := firstLoss("", want, got); lost != "" {
		return req, fmt.Errorf("go-openai can't send %q as it is: change it, or use NewClient", lost)
	}
	return req, nil
}

// withArguments fills in the arguments that a model left empty, since go-openai would leave the field out.
func withArguments(call *Call) *Call {
	c := *call
	for i := range call.Messages {
		for j := range call.Messages[i].ToolCalls {
			if call.Messages[i].ToolCalls[j].Arguments != "" {
				continue
			}
			if &c.Messages[0] == &call.Messages[0] {
				c.Messages = append([]batch.Message(nil), call.Messages...)
			}
			if &c.Messages[i].ToolCalls[0] == &call.Messages[i].ToolCalls[0] {
				c.Messages[i].ToolCalls = append([]batch.ToolCall(nil), call.Messages[i].ToolCalls...)
			}
			c.Messages[i].ToolCalls[j].Arguments = "{}"
		}
	}
	return &c
}

func decodeNumbers(data []byte) (v any, err error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	err = dec.Decode(&v)
	return v, err
}

// firstLoss returns the path of something in want that got lacks or has otherwise, or "".
func firstLoss(path string, want, got any) string {
	switch want := want.(type) {
	case map[string]any:
		members, ok := got.(map[string]any)
		if !ok {
			return path
		}
		for _, name := range slices.Sorted(maps.Keys(want)) {
			value, inner := want[name], name
			if path != "" {
				inner = path + "." + name
			}
			have, there := members[name]
			if !there && harmless(name, value) {
				continue
			}
			if lost := firstLoss(inner, value, have); lost != "" {
				return lost
			}
		}
		return ""
	case []any:
		values, ok := got.([]any)
		if !ok || len(values) != len(want) {
			return path
		}
		for i := range want {
			if lost := firstLoss(fmt.Sprintf("%s[%d]", path, i), want[i], values[i]); lost != "" {
				return lost
			}
		}
		return ""
	case json.Number:
		if have, ok := got.(json.Number); ok && sameNumber(want, have) {
			return ""
		}
		return path
	default:
		if want == got {
			return ""
		}
		return path
	}
}

// harmless says that leaving a member out means the same as sending it.
func harmless(name string, value any) bool {
	list, isList := value.([]any)
	return value == nil || isList && len(list) == 0 || name == "strict" && value == false
}

// sameNumber compares as go-openai sends: fractions as float32.
func sameNumber(want, got json.Number) bool {
	if want == got {
		return true
	}
	a, errA := want.Float64()
	b, errB := got.Float64()
	if errA != nil || errB != nil {
		return false
	}
	return a == b || a != math.Trunc(a) && float32(a) == float32(b)
}

// openAIMessage turns go-openai's message into ours, by way of the JSON that both have in common.
func openAIMessage(m *openai.ChatCompletionMessage) batch.Message {
	var message batch.Message
	if data, err := json.Marshal(m); err == nil {
		_ = json.Unmarshal(data, &message) // what json.Marshal wrote of it is a message
	}
	for i := range message.ToolCalls {
		delete(message.ToolCalls[i].Extra, "index") // it belongs to streams
	}
	return message
}
